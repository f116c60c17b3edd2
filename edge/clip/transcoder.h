// For cameras whose packets a clip can't hold as they are (MJPEG, raw, MPEG-4, …): decodes every
// frame once, shows it to the detectors, and encodes it.
//
// Encoded packets keep the PTS of the frames they came from. Where an encoder fails in mid-stream
// the next one in the order takes over with the same frame, as a keyframe: no frame is lost but
// those that the failed encoder still held (none, for encoders that return each frame at once).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "edge/camera/packet.h"

namespace gleaner::edge {

// Not thread-safe: lives on its camera's thread.
class Transcoder {
 public:
  struct Callbacks {
    // Pixels are YUV 4:2:0 planar, of even width and height.
    std::function<void(const Frame&)> on_frame;
    // Once before the first packet, and again if an encoder failed and the next one took over.
    std::function<void(const VideoFormat&, const std::string& encoder)> on_format;
    std::function<void(const Packet&)> on_packet;
  };
  // Opens the decoder. `encoders`: names of encoder.h in the order of preference; empty = the
  // default order. The first that encodes the first frame is taken; the choice and each refusal are
  // logged. INVALID_ARGUMENT for a codec that isn't decoded, NOT_FOUND for an unknown encoder.
  static absl::StatusOr<std::unique_ptr<Transcoder>> Open(const VideoFormat& input,
                                                          const std::vector<std::string>& encoders,
                                                          Callbacks callbacks);
  ~Transcoder();
  // A damaged packet is skipped and counted; an encoder that fails is replaced by the next one in
  // the order. An error means no encoder is left.
  absl::Status OnPacket(const Packet& packet);
  // What decoder and encoder still hold. Nothing may be sent after that.
  absl::Status Flush();

  // Packets that could not be decoded, and frames whose time was not after the one before.
  uint64_t damaged() const;

 private:
  Transcoder();
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gleaner::edge
