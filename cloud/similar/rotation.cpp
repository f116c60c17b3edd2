#include "cloud/similar/rotation.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace gleaner::cloud {
namespace {

constexpr size_t kAlign = 64;
constexpr size_t kRounds = 4;
constexpr uint64_t kSeed = 0x676c65616e657231;

// Steele and others' SplitMix64: the same everywhere, which std's distributions need not be.
uint64_t Mix(uint64_t* state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// In place; `size` is a power of two.
void Hadamard(float* values, size_t size) {
  for (size_t half = 1; half < size; half *= 2) {
    for (size_t begin = 0; begin < size; begin += 2 * half) {
      for (size_t i = begin; i < begin + half; ++i) {
        const float a = values[i], b = values[i + half];
        values[i] = a + b;
        values[i + half] = a - b;
      }
    }
  }
  const float scale = 1 / std::sqrt(static_cast<float>(size));
  for (size_t i = 0; i < size; ++i) values[i] *= scale;
}

}  // namespace

Rotation::Rotation(size_t dims)
    : axes_((std::max<size_t>(dims, 1) + kAlign - 1) / kAlign * kAlign),
      power_(std::bit_floor(axes_)),
      signs_(kRounds * axes_) {
  uint64_t state = kSeed;
  for (float& sign : signs_) sign = (Mix(&state) >> 63) == 0 ? 1.0F : -1.0F;
}

std::vector<float> Rotation::operator()(std::span<const float> vector) const {
  std::vector<float> out(axes_);
  std::copy_n(vector.begin(), std::min(vector.size(), axes_), out.begin());
  for (size_t round = 0; round < kRounds; ++round) {
    const float* signs = signs_.data() + round * axes_;
    for (size_t i = 0; i < axes_; ++i) out[i] *= signs[i];
    Hadamard(out.data() + (round % 2 == 0 ? 0 : axes_ - power_), power_);
  }
  return out;
}

std::vector<int8_t> ToInt8(std::span<const float> rotated) {
  std::vector<int8_t> out(rotated.size());
  const float scale = 127 / kInt8Reach * std::sqrt(static_cast<float>(rotated.size()));
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<int8_t>(std::lrintf(std::clamp(rotated[i] * scale, -127.0F, 127.0F)));
  }
  return out;
}

float Int8Unit(size_t axes) {
  const float step = kInt8Reach / 127;
  return step * step / static_cast<float>(axes);
}

}  // namespace gleaner::cloud
