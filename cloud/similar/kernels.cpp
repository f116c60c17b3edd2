#include "cloud/similar/kernels.h"

#if defined(__x86_64__)
// GCC 12's own headers use what they call undefined (its bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#endif

namespace gleaner::cloud {
namespace {

int32_t Dot(const int8_t* a, const int8_t* b, size_t axes) {
  int32_t sum = 0;
  for (size_t i = 0; i < axes; ++i) sum += int32_t{a[i]} * b[i];
  return sum;
}

void Sum(const uint8_t* codes, size_t blocks, size_t axes, const uint8_t* tables, uint16_t* sums) {
  const size_t groups = axes / 8;
  for (size_t block = 0; block < blocks; ++block, sums += kBlockRows) {
    for (size_t r = 0; r < kBlockRows; ++r) sums[r] = 0;
    for (size_t g = 0; g < groups; ++g, codes += kBlockRows) {
      const uint8_t* low = tables + 32 * g;
      const uint8_t* high = low + 16;
      for (size_t r = 0; r < kBlockRows; ++r) {
        sums[r] = static_cast<uint16_t>(sums[r] + low[codes[r] & 15] + high[codes[r] >> 4]);
      }
    }
  }
}

size_t Select(const uint16_t* sums, const float* along, const float* spread, size_t rows,
              float step, float base, float least, uint16_t* selected) {
  size_t count = 0;
  for (size_t r = 0; r < rows; ++r) {
    selected[count] = static_cast<uint16_t>(r);
    count += along[r] + spread[r] * (step * static_cast<float>(sums[r]) + base) >= least ? 1 : 0;
  }
  return count;
}

#if defined(__x86_64__)

#define GLEANER_AVX2 __attribute__((target("avx2,fma")))
#define GLEANER_AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,bmi")))

GLEANER_AVX2 int32_t DotAvx2(const int8_t* a, const int8_t* b, size_t axes) {
  __m256i sum = _mm256_setzero_si256();
  for (size_t i = 0; i < axes; i += 16) {
    const __m256i left =
        _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a + i)));
    const __m256i right =
        _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b + i)));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(left, right));
  }
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1));
  return _mm_cvtsi128_si32(four);
}

// Bytes are added up as 16 bits: `all` has the even ones, and the odd ones 256 times, which `odd`
// has by themselves.
GLEANER_AVX2 void SumAvx2(const uint8_t* codes, size_t blocks, size_t axes, const uint8_t* tables,
                          uint16_t* sums) {
  const size_t groups = axes / 8;
  const __m256i nibble = _mm256_set1_epi8(15);
  for (size_t block = 0; block < blocks; ++block, sums += kBlockRows) {
    __m256i all = _mm256_setzero_si256(), odd = _mm256_setzero_si256();
    for (size_t g = 0; g < groups; g += 2, codes += 2 * kBlockRows) {
      __m256i four = _mm256_setzero_si256();
      for (size_t half = 0; half < 2; ++half) {
        const uint8_t* table = tables + 32 * (g + half);
        const __m256i bytes =
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + half * kBlockRows));
        const __m256i low =
            _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
        const __m256i high = _mm256_broadcastsi128_si256(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(table + 16)));
        four = _mm256_add_epi8(four, _mm256_shuffle_epi8(low, _mm256_and_si256(bytes, nibble)));
        four = _mm256_add_epi8(
            four, _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble)));
      }
      all = _mm256_add_epi16(all, four);
      odd = _mm256_add_epi16(odd, _mm256_srli_epi16(four, 8));
    }
    const __m256i even = _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8));
    // Rows 0…7 and 16…23, then 8…15 and 24…31.
    const __m256i first = _mm256_unpacklo_epi16(even, odd);
    const __m256i second = _mm256_unpackhi_epi16(even, odd);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums),
                        _mm256_permute2x128_si256(first, second, 0x20));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + 16),
                        _mm256_permute2x128_si256(first, second, 0x31));
  }
}

GLEANER_AVX2 size_t SelectAvx2(const uint16_t* sums, const float* along, const float* spread,
                               size_t rows, float step, float base, float least,
                               uint16_t* selected) {
  size_t count = 0;
  const __m256 steps = _mm256_set1_ps(step), bases = _mm256_set1_ps(base),
               leasts = _mm256_set1_ps(least);
  for (size_t r = 0; r < rows; r += 8) {
    const __m256 sum = _mm256_cvtepi32_ps(
        _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(sums + r))));
    const __m256 most =
        _mm256_fmadd_ps(_mm256_loadu_ps(spread + r), _mm256_fmadd_ps(steps, sum, bases),
                        _mm256_loadu_ps(along + r));
    auto mask = static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(most, leasts, _CMP_GE_OQ)));
    for (; mask != 0; mask &= mask - 1) {
      selected[count++] = static_cast<uint16_t>(r + static_cast<size_t>(__builtin_ctz(mask)));
    }
  }
  return count;
}

// The instruction multiplies unsigned by signed: a has 128 added to it, and 128 times the sum of b
// is taken away.
GLEANER_AVX512 int32_t DotAvx512(const int8_t* a, const int8_t* b, size_t axes) {
  const __m512i flip = _mm512_set1_epi8(-128), ones = _mm512_set1_epi8(1);
  __m512i sum = _mm512_setzero_si512(), of_b = _mm512_setzero_si512();
  for (size_t i = 0; i < axes; i += 64) {
    const __m512i right = _mm512_loadu_si512(b + i);
    sum = _mm512_dpbusd_epi32(sum, _mm512_xor_si512(_mm512_loadu_si512(a + i), flip), right);
    of_b = _mm512_dpbusd_epi32(of_b, ones, right);
  }
  return _mm512_reduce_add_epi32(_mm512_sub_epi32(sum, _mm512_slli_epi32(of_b, 7)));
}

GLEANER_AVX512 void SumAvx512(const uint8_t* codes, size_t blocks, size_t axes,
                              const uint8_t* tables, uint16_t* sums) {
  const size_t groups = axes / 8;  // a multiple of 8
  const __m512i nibble = _mm512_set1_epi8(15);
  // Of two groups at once: a table twice for the 32 rows of the first, the next one for the second.
  const __m512i pick_low = _mm512_setr_epi64(0, 1, 0, 1, 4, 5, 4, 5);
  const __m512i pick_high = _mm512_setr_epi64(2, 3, 2, 3, 6, 7, 6, 7);
  for (size_t block = 0; block < blocks; ++block, sums += kBlockRows) {
    __m512i all = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
    for (size_t g = 0; g < groups; g += 4, codes += 4 * kBlockRows) {
      const __m512i first_tables = _mm512_loadu_si512(tables + 32 * g);
      const __m512i second_tables = _mm512_loadu_si512(tables + 32 * g + 64);
      const __m512i first = _mm512_loadu_si512(codes);
      const __m512i second = _mm512_loadu_si512(codes + 64);
      const __m512i two = _mm512_add_epi8(
          _mm512_shuffle_epi8(_mm512_permutexvar_epi64(pick_low, first_tables),
                              _mm512_and_si512(first, nibble)),
          _mm512_shuffle_epi8(_mm512_permutexvar_epi64(pick_high, first_tables),
                              _mm512_and_si512(_mm512_srli_epi16(first, 4), nibble)));
      const __m512i more = _mm512_add_epi8(
          _mm512_shuffle_epi8(_mm512_permutexvar_epi64(pick_low, second_tables),
                              _mm512_and_si512(second, nibble)),
          _mm512_shuffle_epi8(_mm512_permutexvar_epi64(pick_high, second_tables),
                              _mm512_and_si512(_mm512_srli_epi16(second, 4), nibble)));
      const __m512i four = _mm512_add_epi8(two, more);
      all = _mm512_add_epi16(all, four);
      odd = _mm512_add_epi16(odd, _mm512_srli_epi16(four, 8));
    }
    const __m512i even = _mm512_sub_epi16(all, _mm512_slli_epi16(odd, 8));
    const __m256i evens =
        _mm256_add_epi16(_mm512_castsi512_si256(even), _mm512_extracti64x4_epi64(even, 1));
    const __m256i odds =
        _mm256_add_epi16(_mm512_castsi512_si256(odd), _mm512_extracti64x4_epi64(odd, 1));
    const __m256i first = _mm256_unpacklo_epi16(evens, odds);
    const __m256i second = _mm256_unpackhi_epi16(evens, odds);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums),
                        _mm256_permute2x128_si256(first, second, 0x20));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + 16),
                        _mm256_permute2x128_si256(first, second, 0x31));
  }
}

GLEANER_AVX512 size_t SelectAvx512(const uint16_t* sums, const float* along, const float* spread,
                                   size_t rows, float step, float base, float least,
                                   uint16_t* selected) {
  size_t count = 0;
  const __m512 steps = _mm512_set1_ps(step), bases = _mm512_set1_ps(base),
               leasts = _mm512_set1_ps(least);
  for (size_t r = 0; r < rows; r += 16) {
    const __m512 sum = _mm512_cvtepi32_ps(
        _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + r))));
    const __m512 most =
        _mm512_fmadd_ps(_mm512_loadu_ps(spread + r), _mm512_fmadd_ps(steps, sum, bases),
                        _mm512_loadu_ps(along + r));
    unsigned mask = _mm512_cmp_ps_mask(most, leasts, _CMP_GE_OQ);
    for (; mask != 0; mask &= mask - 1) {
      selected[count++] = static_cast<uint16_t>(r + static_cast<size_t>(__builtin_ctz(mask)));
    }
  }
  return count;
}

constexpr Kernels kAvx2{.name = "AVX2", .dot = DotAvx2, .sum = SumAvx2, .select = SelectAvx2};
constexpr Kernels kAvx512{
    .name = "AVX-512 VNNI", .dot = DotAvx512, .sum = SumAvx512, .select = SelectAvx512};

#endif

constexpr Kernels kPortable{.name = "portable", .dot = Dot, .sum = Sum, .select = Select};

}  // namespace

const Kernels& PortableKernels() { return kPortable; }

const Kernels* Avx2Kernels() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &kAvx2;
#endif
  return nullptr;
}

const Kernels* Avx512Kernels() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vnni")) {
    return &kAvx512;
  }
#endif
  return nullptr;
}

const Kernels& BestKernels() {
  static const Kernels& best = Avx512Kernels() != nullptr ? *Avx512Kernels()
                               : Avx2Kernels() != nullptr ? *Avx2Kernels()
                                                          : kPortable;
  return best;
}

}  // namespace gleaner::cloud

#if defined(__x86_64__)
#pragma GCC diagnostic pop
#endif
