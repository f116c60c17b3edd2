#include "tests/bench/similar/vectors.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>

namespace gleaner::bench {
namespace {

constexpr size_t kThings = 4'000;
constexpr size_t kDirections = 24;
constexpr size_t kPool = 512;  // directions that things share
constexpr float kVariation = 0.7F, kNoise = 0.25F, kBurst = 0.08F;

void Fill(std::vector<float>* values, float scale, std::mt19937_64* random) {
  std::normal_distribution<float> normal(0, scale);
  for (float& one : *values) one = normal(*random);
}

void Normalize(float* row, size_t dims) {
  float sum = 0;
  for (size_t i = 0; i < dims; ++i) sum += row[i] * row[i];
  const float scale = 1 / std::sqrt(sum);
  for (size_t i = 0; i < dims; ++i) row[i] *= scale;
}

}  // namespace

VectorSet MadeUpVectors(size_t rows, size_t dims, uint64_t seed) {
  std::mt19937_64 random(seed);
  const float unit = 1 / std::sqrt(static_cast<float>(dims));
  std::vector<float> centres(kThings * dims), pool(kPool * dims);
  Fill(&centres, unit, &random);
  Fill(&pool, unit, &random);
  std::vector<double> often(kThings);
  for (size_t i = 0; i < kThings; ++i) often[i] = 1 / static_cast<double>(i + 1);
  std::discrete_distribution<size_t> thing(often.begin(), often.end());
  std::normal_distribution<float> normal;
  VectorSet set{.name = "made_up", .dims = dims, .values = std::vector<float>(rows * dims)};
  for (size_t row = 0; row < rows; ++row) {
    float* values = set.values.data() + row * dims;
    if (row > 0 && random() % 5 == 0) {
      const float* before = values - dims;
      for (size_t i = 0; i < dims; ++i) values[i] = before[i] + kBurst * unit * normal(random);
    } else {
      const size_t which = thing(random);
      std::copy_n(centres.data() + which * dims, dims, values);
      for (size_t d = 0; d < kDirections; ++d) {
        const float* direction = pool.data() + (which * 31 + d * 17) % kPool * dims;
        const float by = kVariation * normal(random) / std::sqrt(static_cast<float>(d + 1));
        for (size_t i = 0; i < dims; ++i) values[i] += by * direction[i];
      }
      for (size_t i = 0; i < dims; ++i) values[i] += kNoise * unit * normal(random);
    }
    Normalize(values, dims);
  }
  return set;
}

VectorSet Garments(size_t queries) {
  constexpr size_t kHead = 16, kPixels = 784;
  VectorSet set{.name = "garments", .dims = kPixels, .values = {}};
  for (const auto& [part, most] : {std::pair<const char*, size_t>{"train", 60'000},
                                   std::pair<const char*, size_t>{"t10k", queries}}) {
    const std::string path =
        fmt::format("/usr/share/datasets/fashion-mnist/{}-images-idx3-ubyte.gz", part);
    const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
    std::vector<uint8_t> bytes(kPixels);
    if (file == nullptr || gzread(file.get(), bytes.data(), kHead) != kHead) return {};
    for (size_t n = 0; n < most; ++n) {
      if (gzread(file.get(), bytes.data(), kPixels) != kPixels) return {};
      set.values.insert(set.values.end(), bytes.begin(), bytes.end());
      Normalize(set.values.data() + set.values.size() - kPixels, kPixels);
    }
  }
  return set;
}

double IntrinsicDimension(const std::vector<std::vector<float>>& cosines) {
  double sum = 0;
  size_t count = 0;
  for (const std::vector<float>& of_one : cosines) {
    const double last = std::sqrt(std::max(0.0, 2 - 2 * double{of_one.back()}));
    for (size_t i = 0; i + 1 < of_one.size(); ++i) {
      const double distance = std::sqrt(std::max(0.0, 2 - 2 * double{of_one[i]}));
      if (distance == 0 || last == 0) continue;
      sum += std::log(last / distance);
      ++count;
    }
  }
  return sum == 0 ? 0 : static_cast<double>(count) / sum;
}

}  // namespace gleaner::bench
