// One frame of a video, at full size: decoded from the keyframe before it, or, where that shows it
// not whole, from the beginning.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cloud/media/worker/video_file.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud::media {

// Reads kVideoFd as CheckVideo does. The JPEG into *jpeg, or why there is none.
std::optional<Fault> DecodePicture(const v1::VideoTrack& track, int64_t pts, std::string* jpeg);

}  // namespace gleaner::cloud::media
