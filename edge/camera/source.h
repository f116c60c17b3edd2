// One opening of a camera's input: FFmpeg's demuxer, fenced in.
//
// What may be opened is listed in source.cpp: protocols, containers and codecs. Streams other than
// the first video stream are discarded in the demuxer. No decoder is opened where the container
// already says all that a clip needs (MP4, AVI), so that opening a file takes
// milliseconds.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "edge/camera/ffmpeg.h"
#include "edge/camera/packet.h"

namespace gleaner::edge {

enum class SourceKind { kFile, kRtsp, kV4l2 };

// "file", "rtsp", "v4l2".
std::string_view ToString(SourceKind kind);

// True for the codecs that a camera may deliver; nothing else is ever decoded.
bool IsReadableCodec(AVCodecID codec);

// Not thread-safe.
class Source {
 public:
  // `interrupted` is asked while the input blocks, from the calling thread; true ends the wait with
  // CANCELLED. INVALID_ARGUMENT: opened, but it isn't video that Gleaner reads, and never will be.
  // Errors name the url without its password. `device` stands in for V4L2's demuxer in tests.
  static absl::StatusOr<std::unique_ptr<Source>> Open(SourceKind kind, const std::string& url,
                                                      std::function<bool()> interrupted,
                                                      const AVInputFormat* device = nullptr);
  ~Source();

  const VideoFormat& format() const { return format_; }
  // The video stream's declared end in its own ticks; AV_NOPTS_VALUE if it has none.
  int64_t end() const { return end_; }

  // The next packet of the video stream, stamped in the source's own ticks; pts and dts may be
  // missing. Null at the end. DATA_LOSS when a file ends in the middle of a frame.
  absl::StatusOr<AvPtr<AVPacket>> Read();

 private:
  Source() = default;
  absl::Status FindVideo();
  bool Interrupted();

  SourceKind kind_ = SourceKind::kFile;
  std::string name_;  // for errors
  std::function<bool()> interrupted_;
  bool was_interrupted_ = false;
  AVFormatContext* context_ = nullptr;
  int stream_ = -1;
  VideoFormat format_;
  int64_t end_ = AV_NOPTS_VALUE;
  // What the file's edit list doesn't show is handed out only once something shown follows: at the
  // end of a file it is nothing, before that frames may depend on it.
  std::deque<AvPtr<AVPacket>> unshown_;
  size_t ready_ = 0;  // how many at the front of unshown_ may go
};

}  // namespace gleaner::edge
