// Notices that a camera, or a file that a camera recorded, has changed its picture's size in
// mid-stream: the parameter sets in front of a keyframe say another one than before. No decoder is
// needed for that.
#pragma once

#include <memory>

#include "edge/camera/ffmpeg.h"
#include "edge/camera/packet.h"

namespace gleaner::edge {

// For H.264 and H.265; of no effect for anything else. Not thread-safe.
class PictureWatch {
 public:
  explicit PictureWatch(const VideoFormat& format);

  // Each keyframe of the stream, as the camera sent it. True when the size isn't that of the
  // keyframe before: `format` then is made to say the new one, with the packet's parameter sets as
  // extradata.
  bool Changed(const AVPacket& keyframe, VideoFormat* format);

 private:
  AvPtr<AVCodecContext> context_;       // null for other codecs; never opened
  AvPtr<AVCodecParserContext> parser_;  // reads parameter sets and the first slice's header
  int width_ = 0;                       // of the newest keyframe; 0 before the first
  int height_ = 0;
};

}  // namespace gleaner::edge
