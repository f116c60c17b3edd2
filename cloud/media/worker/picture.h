// Frames of a video as pictures: decoded from the keyframe before the first of them, or, where that
// shows one not whole, from the beginning.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cloud/media/worker/video_file.h"
#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud::media {

struct PictureWish {
  std::vector<int64_t> times;  // ascending
  uint32_t max_side = 0;       // 0: as large as they are
  size_t max_bytes = 0;        // each
};

// Reads kVideoFd as CheckVideo does. The JPEGs by their times into *jpegs; why there is none of
// some.
std::optional<Fault> DecodePictures(const v1::VideoTrack& track, const PictureWish& wish,
                                    std::map<int64_t, std::string>* jpegs);

}  // namespace gleaner::cloud::media
