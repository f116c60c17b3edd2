// In which order pictures are shown, as their slice headers say it: the picture order count (ITU-T
// H.264 8.2.1, H.265 8.3.1), read by FFmpeg's parser. Nothing is decoded; a picture costs
// microseconds.
#pragma once

#include <compare>
#include <cstdint>

#include "edge/camera/ffmpeg.h"
#include "edge/camera/packet.h"

namespace gleaner::edge {

// Where a picture stands: pictures count anew in each period. Comparable within one stream.
struct PicturePlace {
  int64_t period = 0;
  int64_t count = 0;
  auto operator<=>(const PicturePlace&) const = default;
};

// Not thread-safe.
class PictureOrder {
 public:
  // How many pictures may precede one in decode order and follow it in presentation, at most.
  static constexpr size_t kMaxDepth = 16;

  explicit PictureOrder(const VideoFormat& format);

  // False where pictures are taken to be shown in the order in which they come: codecs other than
  // H.264 and H.265.
  bool reads() const { return parser_ != nullptr; }
  // Of every picture of the stream, in decode order.
  PicturePlace Next(const AVPacket& packet);
  // The picture looked at last is of a new period, whose start was lost. Returns its place.
  PicturePlace BeginPeriod();

 private:
  AvPtr<AVCodecContext> context_;  // never opened
  AvPtr<AVCodecParserContext> parser_;
  int64_t last_count_ = 0;
  PicturePlace newest_;  // the last one in presentation
};

}  // namespace gleaner::edge
