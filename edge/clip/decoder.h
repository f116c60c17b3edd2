// Decodes one camera's packets, on the calling thread. Only codecs that a camera may have
// (camera/source.h) are opened.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "edge/camera/ffmpeg.h"
#include "edge/camera/packet.h"

namespace gleaner::edge {

// Not thread-safe.
class Decoder {
 public:
  static absl::StatusOr<std::unique_ptr<Decoder>> Open(const VideoFormat& format);

  // Null ends the stream: Receive() then returns what is left. An error concerns this packet only.
  absl::Status Send(const AVPacket* packet);
  // The next frame in presentation order, `pts` in the packets' ticks. False when there is none
  // yet.
  bool Receive(AVFrame* frame);

 private:
  AvPtr<AVCodecContext> context_;
};

}  // namespace gleaner::edge
