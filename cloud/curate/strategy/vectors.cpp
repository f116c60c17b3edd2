#include "cloud/curate/strategy/vectors.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

// One build of each loop for each width of vectors; the processor's own is found at start-up.
// Sanitizers run before that can be.
#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define GLEANER_WIDE __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define GLEANER_WIDE
#endif

namespace gleaner::cloud {
namespace {

// Sixteen sums side by side, added up in the same tree at the end: so the order of additions is in
// the program and not the processor's.
constexpr size_t kLanes = 16;
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float))));

inline float SumUp(const float* lanes) {
  float eight[8], four[4];
  for (int i = 0; i < 8; ++i) eight[i] = lanes[i] + lanes[i + 8];
  for (int i = 0; i < 4; ++i) four[i] = eight[i] + eight[i + 4];
  return (four[0] + four[2]) + (four[1] + four[3]);
}

}  // namespace

GLEANER_WIDE float Dot(const float* a, const float* b, size_t size) {
  float out;
  DotEach(a, b, 1, size, &out);
  return out;
}

GLEANER_WIDE void DotEach(const float* a, const float* rows, size_t count, size_t size,
                          float* out) {
  const size_t whole = size / kLanes * kLanes;
  size_t row = 0;
  // Four rows at once: `a` is read once for them.
  for (; row + 4 <= count; row += 4) {
    Lanes sums[4] = {};
    const float* r = rows + row * size;
    for (size_t i = 0; i < whole; i += kLanes) {
      Lanes x, y;
      std::memcpy(&x, a + i, sizeof(x));
      for (int j = 0; j < 4; ++j) {
        std::memcpy(&y, r + j * size + i, sizeof(y));
        sums[j] += x * y;
      }
    }
    for (int j = 0; j < 4; ++j) {
      float lanes[kLanes];
      std::memcpy(lanes, &sums[j], sizeof(lanes));
      float sum = SumUp(lanes);
      for (size_t i = whole; i < size; ++i) sum += a[i] * r[j * size + i];
      out[row + j] = sum;
    }
  }
  for (; row < count; ++row) {
    Lanes sums = {};
    const float* r = rows + row * size;
    for (size_t i = 0; i < whole; i += kLanes) {
      Lanes x, y;
      std::memcpy(&x, a + i, sizeof(x));
      std::memcpy(&y, r + i, sizeof(y));
      sums += x * y;
    }
    float lanes[kLanes];
    std::memcpy(lanes, &sums, sizeof(lanes));
    float sum = SumUp(lanes);
    for (size_t i = whole; i < size; ++i) sum += a[i] * r[i];
    out[row] = sum;
  }
}

GLEANER_WIDE void Add(const float* a, size_t size, float* sum) {
  for (size_t i = 0; i < size; ++i) sum[i] += a[i];
}

void Normalize(float* a, size_t size) {
  const float length = std::sqrt(Dot(a, a, size));
  if (length == 0) return;
  for (size_t i = 0; i < size; ++i) a[i] /= length;
}

void InParallel(size_t count, size_t threads, const std::function<void(size_t, size_t)>& part) {
  threads = std::max<size_t>(1, std::min(threads, count));
  std::vector<std::jthread> others;
  for (size_t i = 1; i < threads; ++i) {
    others.emplace_back(part, count * i / threads, count * (i + 1) / threads);
  }
  part(0, count / threads);
}

}  // namespace gleaner::cloud
