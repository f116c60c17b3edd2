// A picture that a camera sends twice under one stamp, as some do when a client is slow or their
// encoder is restarted: the same bytes once more. A decoder would show it twice, or complain.
#pragma once

#include "edge/camera/ffmpeg.h"
#include "edge/camera/packet.h"

namespace gleaner::edge {

// For H.264 and H.265, of which no two pictures in a row are alike to the last bit: each has a
// number. Of no effect for anything else, where a still scene looks like this. Not thread-safe.
class PictureRepeats {
 public:
  explicit PictureRepeats(const VideoFormat& format) : looks_(format.Remuxable()) {}

  // Of every packet of a stream, in decode order: whether it is the one before it once more.
  bool Is(const AVPacket& packet);

 private:
  const bool looks_;
  AvPtr<AVPacket> last_;  // null before the first
};

}  // namespace gleaner::edge
