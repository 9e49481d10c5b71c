#include <cstring>

#include "engine/backends/cpu/kernels_avx2.h"
#include "engine/backends/cpu/simd_avx2.h"

// Panels of 8 rows of the types with blocks of 32, times rows of int8 (layouts: packing.h). A
// block's dot product is exact in int32; one FMA a block then adds it, in the order of the blocks.
// Per call: k/32 * (272 Q8_0, 176 Q5_0, 160 Q4_1, 144 Q4_0) bytes, 16 k operations a row.

namespace moebench::cpu::avx2 {
namespace {

inline __m256i load(const std::byte* p) noexcept {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
}
inline __m256i broadcast4(const std::int8_t* p) noexcept {
  int four;
  std::memcpy(&four, p, 4);
  return _mm256_set1_epi32(four);
}
inline __m256 scales8(const std::byte* p) noexcept {
  return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
}

// maddubs wants one unsigned side: |w| times x with w's sign. A pair reaches 2 * 128 * 127 = 32512,
// so each goes to int32 at once. (Sums kept in int16 modulo 2^16, beside the sums of their upper
// bytes, need a quarter of the madds, and were no faster on Zen 2: README.md.)
struct Q8_0 {
  static constexpr int kBlockBytes = 256, kScales = 1, kOffset = 0, kMaxRows = 4;
  template <int kRows>
  static inline void dot(const std::byte* w, const std::int8_t* const* x, std::int64_t at,
                         __m256i* sum) noexcept {
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i acc[kRows];
#pragma GCC unroll 8
    for (int t = 0; t < kRows; ++t) acc[t] = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (int g = 0; g < 8; ++g) {
      const __m256i v = load(w + 32 * g);
      const __m256i magnitude = _mm256_abs_epi8(v);
#pragma GCC unroll 8
      for (int t = 0; t < kRows; ++t) {
        acc[t] = _mm256_add_epi32(
            acc[t],
            _mm256_madd_epi16(
                _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(broadcast4(x[t] + at + 4 * g), v)),
                ones));
        settle(acc[t]);
      }
    }
#pragma GCC unroll 8
    for (int t = 0; t < kRows; ++t) sum[t] = acc[t];
  }
};

// 4-bit weights: 8 pairs of products add up to at most 8 * 2 * 15 * 127 = 30480, so a whole block
// stays in int16.
template <int kOffsetValue, int kScaleCount>
struct Nibbles {
  static constexpr int kBlockBytes = 128, kScales = kScaleCount, kOffset = kOffsetValue,
                       kMaxRows = 4;
  template <int kRows>
  static inline void dot(const std::byte* w, const std::int8_t* const* x, std::int64_t at,
                         __m256i* sum) noexcept {
    const __m256i mask = _mm256_set1_epi8(15);
    __m256i acc[kRows];
#pragma GCC unroll 8
    for (int t = 0; t < kRows; ++t) acc[t] = _mm256_setzero_si256();
#pragma GCC unroll 4
    for (int g = 0; g < 4; ++g) {
      const __m256i v = load(w + 32 * g);
      const __m256i low = _mm256_and_si256(v, mask);
      const __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), mask);
#pragma GCC unroll 8
      for (int t = 0; t < kRows; ++t) {
        acc[t] = _mm256_add_epi16(acc[t], _mm256_maddubs_epi16(low, broadcast4(x[t] + at + 4 * g)));
        acc[t] = _mm256_add_epi16(acc[t],
                                  _mm256_maddubs_epi16(high, broadcast4(x[t] + at + 16 + 4 * g)));
        settle(acc[t]);
      }
    }
#pragma GCC unroll 8
    for (int t = 0; t < kRows; ++t) sum[t] = _mm256_madd_epi16(acc[t], _mm256_set1_epi16(1));
  }
};

// 5-bit weights: 4 pairs add up to at most 4 * 2 * 31 * 127 = 31496, so half a block fits int16.
struct Q5_0 {
  static constexpr int kBlockBytes = 160, kScales = 1, kOffset = 16, kMaxRows = 4;
  template <int kRows>
  static inline void dot(const std::byte* w, const std::int8_t* const* x, std::int64_t at,
                         __m256i* sum) noexcept {
    const __m256i mask = _mm256_set1_epi8(15), bit = _mm256_set1_epi8(16);
    const __m256i fifth = load(w + 128);
    __m256i a[kRows], b[kRows];
#pragma GCC unroll 8
    for (int t = 0; t < kRows; ++t) a[t] = b[t] = _mm256_setzero_si256();
#pragma GCC unroll 4
    for (int g = 0; g < 4; ++g) {
      const __m256i v = load(w + 32 * g);
      // Bit g of each byte of `fifth` moves to bit 4 (a shift of whole int16s; the mask drops what
      // came from the neighbour).
      const __m256i low = _mm256_or_si256(_mm256_and_si256(v, mask),
                                          _mm256_and_si256(_mm256_slli_epi16(fifth, 4 - g), bit));
      const __m256i high = _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(v, 4), mask),
                                           _mm256_and_si256(_mm256_srli_epi16(fifth, g), bit));
#pragma GCC unroll 8
      for (int t = 0; t < kRows; ++t) {
        a[t] = _mm256_add_epi16(a[t], _mm256_maddubs_epi16(low, broadcast4(x[t] + at + 4 * g)));
        b[t] =
            _mm256_add_epi16(b[t], _mm256_maddubs_epi16(high, broadcast4(x[t] + at + 16 + 4 * g)));
      }
    }
    const __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 8
    for (int t = 0; t < kRows; ++t)
      sum[t] = _mm256_add_epi32(_mm256_madd_epi16(a[t], ones), _mm256_madd_epi16(b[t], ones));
  }
};

template <class Format, int kRows>
void tile(const std::byte* panel, std::int64_t k, const Activations& x, const std::int32_t* rows,
          float* out) noexcept {
  const std::int64_t blocks = k / 32;
  const std::byte* quants = panel + (blocks * 16 * Format::kScales + 31) / 32 * 32;
  const std::int8_t* xs[kRows];
  const float* scales[kRows];
  const std::int16_t* sums[kRows];
  __m256 acc[kRows];
#pragma GCC unroll 8
  for (int t = 0; t < kRows; ++t) {
    xs[t] = x.q + rows[t] * x.q_stride;
    scales[t] = x.scales + rows[t] * x.scale_stride;
    sums[t] = x.sums + rows[t] * x.sum_stride;
    acc[t] = _mm256_setzero_ps();
  }
  for (std::int64_t b = 0; b < blocks; ++b) {
    __m256i dot[kRows];
    prefetch_stream<Format::kBlockBytes>(quants + b * Format::kBlockBytes);
    Format::template dot<kRows>(quants + b * Format::kBlockBytes, xs, 32 * b, dot);
    const __m256 d = scales8(panel + 16 * Format::kScales * b);
#pragma GCC unroll 8
    for (int t = 0; t < kRows; ++t) {
      if constexpr (Format::kOffset != 0)
        dot[t] = _mm256_sub_epi32(
            dot[t], _mm256_set1_epi32(Format::kOffset * (sums[t][2 * b] + sums[t][2 * b + 1])));
      acc[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[t]),
                               _mm256_mul_ps(d, _mm256_broadcast_ss(scales[t] + b)), acc[t]);
      if constexpr (Format::kScales == 2) {
        const float sum = scales[t][b] * static_cast<float>(sums[t][2 * b] + sums[t][2 * b + 1]);
        acc[t] = _mm256_fmadd_ps(scales8(panel + 32 * b + 16), _mm256_set1_ps(sum), acc[t]);
      }
    }
  }
#pragma GCC unroll 8
  for (int t = 0; t < kRows; ++t) _mm256_storeu_ps(out + 8 * t, acc[t]);
}

/// Serves up to four rows.
template <class Format>
constexpr auto kRun =
    &run_for_count<tile<Format, 1>, tile<Format, 2>, tile<Format, 3>, tile<Format, 4>>;

}  // namespace

TileOp tile_q8_0() noexcept { return {kRun<Q8_0>, 4}; }
TileOp tile_q5_0() noexcept { return {kRun<Q5_0>, 4}; }
TileOp tile_q4_0() noexcept { return {kRun<Nibbles<8, 1>>, 4}; }
TileOp tile_q4_1() noexcept { return {kRun<Nibbles<0, 2>>, 4}; }

}  // namespace moebench::cpu::avx2
