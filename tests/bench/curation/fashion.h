// Fashion-MNIST (Zalando, MIT): 28×28 grey pictures of ten classes of garments, from Debian's
// package dataset-fashion-mnist.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gleaner::bench {

inline constexpr size_t kSide = 28, kPixels = kSide * kSide, kClasses = 10;
extern const char* const kClassNames[kClasses];

struct Pictures {
  std::vector<float> pixels;  // 0 to 1, kPixels a picture
  std::vector<uint8_t> labels;

  size_t size() const { return labels.size(); }
  const float* at(size_t picture) const { return &pixels[picture * kPixels]; }
};

// "train" (60,000) or "t10k" (10,000). Throws std::runtime_error for files that aren't there or
// don't have the digests that they are known by.
Pictures LoadFashion(const std::string& part);

}  // namespace gleaner::bench
