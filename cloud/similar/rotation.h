// A fixed rotation that spreads every direction over all axes.
//
// A model's components are of very different size; after a random rotation they are all alike,
// about as if drawn from a normal distribution of variance 1 / dims. So one scale fits all where
// they are cut to 8 bits, and the sign of each says about as much as that of any other
// (scan_index.h).
//
// Signs from a seed and Walsh-Hadamard transforms, a few rounds: n log n steps in place of n², as
// in N. Ailon and B. Chazelle, "The fast Johnson-Lindenstrauss transform" (2009). Where the number
// of axes is no power of two the transform is of the first and the last such power by turns.
// Lengths and angles stay as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace gleaner::cloud {

class Rotation {
 public:
  explicit Rotation(size_t dims);

  // Axes of what comes out: the next multiple of 64; the added ones are zero before the rotation.
  size_t axes() const { return axes_; }
  // The same for every process and machine. `vector` has at most `dims` components.
  std::vector<float> operator()(std::span<const float> vector) const;

 private:
  const size_t axes_;
  const size_t power_;        // the largest power of two that is no larger
  std::vector<float> signs_;  // of all rounds, one behind the other
};

// Components of a rotated direction in 8 bits: so many times the root of the axes.
inline constexpr float kInt8Reach = 4.5F;  // standard deviations; what is beyond is cut off
std::vector<int8_t> ToInt8(std::span<const float> rotated);
// What the product of two such components is worth.
float Int8Unit(size_t axes);

}  // namespace gleaner::cloud
