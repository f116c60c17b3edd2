// The decoder of a video, once the file is found to be what its track says.
#pragma once

#include <cstdint>
#include <optional>

#include "cloud/media/worker/ffmpeg.h"
#include "cloud/media/worker/video_file.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud::media {

// Opens `file` and compares codec, ticks and turn with `track`.
std::optional<Fault> OpenTrack(const v1::VideoTrack& track, VideoFile& file);
// The plain software decoder for it, fenced in by common/limits.h.
std::optional<Fault> OpenDecoder(const v1::VideoTrack& track, const VideoFile& file,
                                 Owned<AVCodecContext>& decoder);

// What this process has used of its processor time.
int64_t CpuNs();

}  // namespace gleaner::cloud::media
