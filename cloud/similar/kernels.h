// The inner loops of likeness, for the processor that this runs on: AVX-512 with VNNI, AVX2, or
// plain C++ everywhere else. All of them give the same numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gleaner::cloud {

// Codes lie in blocks of so many rows: byte r of the n-th group of 32 has 8 axes of row r, 4 in its
// lower half and 4 in its upper half.
inline constexpr size_t kBlockRows = 32;
// What an entry of a table may be at most: four of them fit into a byte.
inline constexpr unsigned kMaxTableEntry = 63;
// Where `axes` are many the sums of a row must still fit into 16 bits.
constexpr unsigned TableEntryLimit(size_t axes) {
  const size_t fits = 65535 / (axes / 4);
  return fits < kMaxTableEntry ? static_cast<unsigned>(fits) : kMaxTableEntry;
}

struct Kernels {
  std::string_view name;
  // The product of two vectors; `axes` is a multiple of 64.
  int32_t (*dot)(const int8_t* a, const int8_t* b, size_t axes);
  // For each row of `blocks` blocks the sum over its 4-bit groups of what its table says of it.
  // `tables`: for each 8 axes 32 entries, 16 for the lower half and 16 for the upper one.
  void (*sum)(const uint8_t* codes, size_t blocks, size_t axes, const uint8_t* tables,
              uint16_t* sums);
  // Which rows have along + spread * (step * sum + base) >= least: their positions, ascending; how
  // many. `rows` is a multiple of kBlockRows.
  size_t (*select)(const uint16_t* sums, const float* along, const float* spread, size_t rows,
                   float step, float base, float least, uint16_t* selected);
};

// The best for this processor.
const Kernels& BestKernels();
const Kernels& PortableKernels();
// Nothing where this processor can't.
const Kernels* Avx2Kernels();
const Kernels* Avx512Kernels();

}  // namespace gleaner::cloud
