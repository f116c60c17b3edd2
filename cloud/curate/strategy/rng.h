// Random numbers that are the same for a seed on every machine and with every library: splitmix64
// (Steele, Lea, Flood 2014). The standard library's shuffles and distributions differ between
// implementations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace gleaner::cloud {

class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(seed) {}

  // Of the same seed, another sequence for each name: what one strategy draws doesn't depend on
  // what others drew before.
  static Rng For(uint64_t seed, std::string_view name) {
    uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    Rng mixed(seed ^ hash);
    return Rng(mixed.Next());
  }

  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // 0 to n − 1, each as likely; n > 0.
  uint64_t Below(uint64_t n) {
    const uint64_t uneven = (0 - n) % n;  // that many values would be drawn once too often
    uint64_t value = Next();
    while (value < uneven) value = Next();
    return value % n;
  }
  // From 0 (included) to 1 (not).
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

  template <typename T>
  void Shuffle(std::vector<T>& values) {
    for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[Below(i)]);
  }

 private:
  uint64_t state_;
};

}  // namespace gleaner::cloud
