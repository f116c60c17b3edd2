// For cameras whose packets a clip can't hold as they are (MJPEG, raw, MPEG-4, …): decodes every frame once, shows it to the detectors, and encodes it.
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
    std::function<void(const Frame&)> on_frame;
    // Once before the first packet, and again if an encoder failed and the next one took over.
    std::function<void(const VideoFormat&, const std::string& encoder)> on_format;
    std::function<void(const Packet&)> on_packet;
  };
  // Opens the decoder and the first encoder of `encoders` (see encoder.h; empty = the default order) that encodes a real frame. The choice and each refusal are logged.
  static absl::StatusOr<std::unique_ptr<Transcoder>> Open(const VideoFormat& input,
                                                          const std::vector<std::string>& encoders,
                                                          Callbacks callbacks);
  ~Transcoder();
  // A damaged packet is skipped and counted; an encoder that fails is replaced by the next one in the order. An error means no encoder is left.
  absl::Status OnPacket(const Packet& packet);
  absl::Status Flush();

 private:
  Transcoder();
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gleaner::edge
