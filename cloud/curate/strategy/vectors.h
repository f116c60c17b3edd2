// Sums over many floats, wide and in a fixed order: the same bits on every processor, whatever its
// vectors' width.
#pragma once

#include <cstddef>
#include <functional>

namespace gleaner::cloud {

float Dot(const float* a, const float* b, size_t size);
// out[i] = Dot(a, rows + i · size, size)
void DotEach(const float* a, const float* rows, size_t count, size_t size, float* out);
// sum += a
void Add(const float* a, size_t size, float* sum);
// To length 1; zeros stay zeros.
void Normalize(float* a, size_t size);

// Calls `part` with pieces of [0, count) on at most `threads` threads, this one among them.
void InParallel(size_t count, size_t threads, const std::function<void(size_t, size_t)>& part);

}  // namespace gleaner::cloud
