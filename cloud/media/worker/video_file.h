// The MP4 file that a clip's video must be: opened and fenced in, its packets read in order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cloud/media/worker/ffmpeg.h"
#include "common/turn.h"
#include "gleaner/v1/catalog.pb.h"

namespace gleaner::cloud::media {

// What is decoded here, and nothing else: FFmpeg's names of the plain software decoders.
inline constexpr char kDecoders[] = "h264,hevc,mpeg4,mjpeg";

// What is wrong with a video.
struct Fault {
  v1::MediaCheck::Reason reason;
  std::string problem;  // for people
};

// Reads kVideoFd, which must allow seeking. Fragmented or plain; nothing that the file names is
// opened, and no demuxer but MP4's. Not thread-safe.
class VideoFile {
 public:
  // The one video track and nothing else must be there.
  std::optional<Fault> Open();

  const AVStream& stream() const { return *stream_; }
  Turn turn() const { return turn_; }

  // The next packet; false at the end, also where the file breaks off: then broken() says how.
  bool Read(AVPacket* packet);
  const std::optional<Fault>& broken() const { return broken_; }

 private:
  Owned<AVIOContext> io_;  // outlives format_
  Owned<AVFormatContext> format_;
  AVStream* stream_ = nullptr;
  Turn turn_;
  std::optional<Fault> broken_;
};

}  // namespace gleaner::cloud::media
