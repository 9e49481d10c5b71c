#include <cstring>

#include "engine/backends/cpu/kernels_avx2.h"
#include "engine/backends/cpu/simd_avx2.h"

// Panels of 8 rows of the K-quants (super-blocks of 256), times rows of int8 with one scale per
// 256. A super-block's weighted integer sums (sub-block scale * dot product) are exact in int32;
// then one FMA a super-block for the products and, in Q4_K, one for the minima. Per call: k/256 *
// (1184 Q4_K, 1696 Q6_K) bytes, 16 k operations a row.

namespace moebench::cpu::avx2 {
namespace {

inline __m256i load(const std::byte* p) noexcept {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
}
inline __m128i load16(const std::byte* p) noexcept {
  return _mm_load_si128(reinterpret_cast<const __m128i*>(p));
}
inline __m256i broadcast4(const void* p) noexcept {
  int four;
  std::memcpy(&four, p, 4);
  return _mm256_set1_epi32(four);
}
/// Of each row's pair of int16 (a, b): (a, a) or (b, b).
inline __m256i both_first(__m256i pairs) noexcept {
  return _mm256_shuffle_epi8(
      pairs, _mm256_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13, 0, 1, 0, 1, 4, 5,
                              4, 5, 8, 9, 8, 9, 12, 13, 12, 13));
}
inline __m256i both_second(__m256i pairs) noexcept {
  return _mm256_shuffle_epi8(
      pairs, _mm256_setr_epi8(2, 3, 2, 3, 6, 7, 6, 7, 10, 11, 10, 11, 14, 15, 14, 15, 2, 3, 2, 3, 6,
                              7, 6, 7, 10, 11, 10, 11, 14, 15, 14, 15));
}

// A sub-block of 32 stays in int16 (at most 30480, see kernels_avx2_q32.cpp); one madd then both
// adds its pairs and multiplies by the sub-block's scale.
template <int kRows>
void tile_q4_k(const std::byte* panel, std::int64_t k, const Activations& x,
               const std::int32_t* rows, float* out) noexcept {
  const __m256i mask = _mm256_set1_epi8(15);
  const std::int8_t* xs[kRows];
  __m256 acc[kRows];
#pragma GCC unroll 8
  for (int t = 0; t < kRows; ++t) {
    xs[t] = x.q + rows[t] * x.q_stride;
    acc[t] = _mm256_setzero_ps();
  }
  for (std::int64_t b = 0; b < k / 256; ++b) {
    __m256i total[kRows];
#pragma GCC unroll 8
    for (int t = 0; t < kRows; ++t) total[t] = _mm256_setzero_si256();
    const std::byte* quants = panel + 160;
    for (int s = 0; s < 8; ++s, quants += 128) {
      prefetch_stream<128>(quants);
      __m256i sum[kRows];
#pragma GCC unroll 8
      for (int t = 0; t < kRows; ++t) sum[t] = _mm256_setzero_si256();
#pragma GCC unroll 4
      for (int g = 0; g < 4; ++g) {
        const __m256i v = load(quants + 32 * g);
        const __m256i low = _mm256_and_si256(v, mask);
        const __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), mask);
#pragma GCC unroll 8
        for (int t = 0; t < kRows; ++t) {
          const std::int8_t* const at = xs[t] + 256 * b + 32 * s + 4 * g;
          sum[t] = _mm256_add_epi16(sum[t], _mm256_maddubs_epi16(low, broadcast4(at)));
          sum[t] = _mm256_add_epi16(sum[t], _mm256_maddubs_epi16(high, broadcast4(at + 16)));
          settle(sum[t]);
        }
      }
      const __m256i pairs = _mm256_cvtepu8_epi16(load16(panel + 32 + 16 * (s / 2)));
      const __m256i scale = s % 2 == 0 ? both_first(pairs) : both_second(pairs);
#pragma GCC unroll 8
      for (int t = 0; t < kRows; ++t)
        total[t] = _mm256_add_epi32(total[t], _mm256_madd_epi16(sum[t], scale));
    }
    const __m256 d = _mm256_cvtph_ps(load16(panel)), dmin = _mm256_cvtph_ps(load16(panel + 16));
#pragma GCC unroll 8
    for (int t = 0; t < kRows; ++t) {
      const std::int16_t* const sums = x.sums + rows[t] * x.sum_stride + 16 * b;
      __m256i minima = _mm256_setzero_si256();
      for (int i = 0; i < 4; ++i) {
        const __m256i pairs = _mm256_cvtepu8_epi16(load16(panel + 96 + 16 * i));
        const std::int16_t two[2] = {static_cast<std::int16_t>(sums[4 * i] + sums[4 * i + 1]),
                                     static_cast<std::int16_t>(sums[4 * i + 2] + sums[4 * i + 3])};
        minima = _mm256_add_epi32(minima, _mm256_madd_epi16(pairs, broadcast4(two)));
      }
      const __m256 dx = _mm256_broadcast_ss(x.scales + rows[t] * x.scale_stride + b);
      acc[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(total[t]), _mm256_mul_ps(d, dx), acc[t]);
      acc[t] = _mm256_fnmadd_ps(_mm256_cvtepi32_ps(minima), _mm256_mul_ps(dmin, dx), acc[t]);
    }
    panel += 1184;
  }
#pragma GCC unroll 8
  for (int t = 0; t < kRows; ++t) _mm256_storeu_ps(out + 8 * t, acc[t]);
}

// 6-bit weights, taken as 0..63 (the offset of 32 goes through the activations' sums): two pairs
// add up to at most 2 * 2 * 63 * 127 = 32004, so half a group of 16 stays in int16.
template <int kRows>
void tile_q6_k(const std::byte* panel, std::int64_t k, const Activations& x,
               const std::int32_t* rows, float* out) noexcept {
  const __m256i mask = _mm256_set1_epi8(15), two_bits = _mm256_set1_epi8(48);
  const std::int8_t* xs[kRows];
  __m256 acc[kRows];
#pragma GCC unroll 8
  for (int t = 0; t < kRows; ++t) {
    xs[t] = x.q + rows[t] * x.q_stride;
    acc[t] = _mm256_setzero_ps();
  }
  for (std::int64_t b = 0; b < k / 256; ++b) {
    __m256i total[kRows];
#pragma GCC unroll 8
    for (int t = 0; t < kRows; ++t) {
      // 32 * sum of scale * (sum of x), taken off first.
      const std::int16_t* const sums = x.sums + rows[t] * x.sum_stride + 16 * b;
      __m256i offset = _mm256_setzero_si256();
      for (int i = 0; i < 8; ++i)
        offset = _mm256_add_epi32(
            offset, _mm256_madd_epi16(_mm256_cvtepi8_epi16(load16(panel + 32 + 16 * i)),
                                      broadcast4(sums + 2 * i)));
      total[t] = _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_slli_epi32(offset, 5));
    }
    const std::byte* quants = panel + 160;
    for (int s = 0; s < 8; ++s, quants += 192) {
      prefetch_stream<192>(quants);
      const __m256i pairs = _mm256_cvtepi8_epi16(load16(panel + 32 + 16 * s));
      const __m256i scales[2] = {both_first(pairs), both_second(pairs)};
      // Group g of the low nibbles belongs to the first 16, group g + 4 (the high ones) to the
      // second.
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const __m256i bits = load(quants + 128 + 32 * half);
        __m256i w[4];
#pragma GCC unroll 4
        for (int g = 0; g < 4; ++g) {
          const __m256i v = load(quants + 32 * g);
          const __m256i nibble = _mm256_and_si256(half == 0 ? v : _mm256_srli_epi16(v, 4), mask);
          const __m256i top =
              g < 2 ? _mm256_slli_epi16(bits, 4 - 2 * g) : _mm256_srli_epi16(bits, 2 * g - 4);
          w[g] = _mm256_or_si256(nibble, _mm256_and_si256(top, two_bits));
        }
#pragma GCC unroll 8
        for (int t = 0; t < kRows; ++t) {
          const std::int8_t* const at = xs[t] + 256 * b + 32 * s + 16 * half;
          const __m256i p = _mm256_add_epi16(_mm256_maddubs_epi16(w[0], broadcast4(at)),
                                             _mm256_maddubs_epi16(w[1], broadcast4(at + 4)));
          const __m256i r = _mm256_add_epi16(_mm256_maddubs_epi16(w[2], broadcast4(at + 8)),
                                             _mm256_maddubs_epi16(w[3], broadcast4(at + 12)));
          total[t] =
              _mm256_add_epi32(total[t], _mm256_add_epi32(_mm256_madd_epi16(p, scales[half]),
                                                          _mm256_madd_epi16(r, scales[half])));
          settle(total[t]);
        }
      }
    }
    const __m256 d = _mm256_cvtph_ps(load16(panel));
#pragma GCC unroll 8
    for (int t = 0; t < kRows; ++t) {
      const __m256 dx = _mm256_broadcast_ss(x.scales + rows[t] * x.scale_stride + b);
      acc[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(total[t]), _mm256_mul_ps(d, dx), acc[t]);
    }
    panel += 1696;
  }
#pragma GCC unroll 8
  for (int t = 0; t < kRows; ++t) _mm256_storeu_ps(out + 8 * t, acc[t]);
}

}  // namespace

TileOp tile_q4_k() noexcept {
  return {&run_for_count<tile_q4_k<1>, tile_q4_k<2>, tile_q4_k<3>, tile_q4_k<4>>, 4};
}
TileOp tile_q6_k() noexcept {
  return {&run_for_count<tile_q6_k<1>, tile_q6_k<2>, tile_q6_k<3>, tile_q6_k<4>>, 4};
}

}  // namespace moebench::cpu::avx2
