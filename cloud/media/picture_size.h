// How large a picture of a frame is.
#pragma once

#include <algorithm>
#include <cstdint>

#include "gleaner/v1/clip.pb.h"

namespace gleaner::cloud::media {

struct PictureSize {
  uint32_t width = 0, height = 0;
};

// Of so many pixels, or smaller where its longer side has more than `max_side` (0: as large as it
// is).
inline PictureSize FitPicture(uint32_t width, uint32_t height, uint32_t max_side) {
  const uint32_t longer = std::max(width, height);
  if (max_side == 0 || longer <= max_side) return {width, height};
  const auto fit = [&](uint32_t side) {
    const uint64_t scaled = (uint64_t{side} * max_side + longer / 2) / longer;
    return static_cast<uint32_t>(std::max<uint64_t>(scaled, 1));
  };
  return {fit(width), fit(height)};
}

// Of a track's frame, once it is turned upright.
inline PictureSize UprightSize(const v1::VideoTrack& track, uint32_t max_side) {
  const bool sideways = track.rotation_degrees() % 180 != 0;
  return FitPicture(sideways ? track.height() : track.width(),
                    sideways ? track.width() : track.height(), max_side);
}

}  // namespace gleaner::cloud::media
