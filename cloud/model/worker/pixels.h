// A picture as pixels.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace gleaner::cloud::model {

struct Pixels {
  int width = 0, height = 0;
  std::vector<uint8_t> bytes;  // three a pixel, row by row
};

// Of a JPEG, which may be smaller than it is: decoded to the smallest of libjpeg's scales at which
// it still has `width` x `height` pixels. INVALID_ARGUMENT says why it can't be read.
absl::StatusOr<Pixels> ReadJpeg(std::string_view jpeg, uint32_t width, uint32_t height, bool rgb);

}  // namespace gleaner::cloud::model
