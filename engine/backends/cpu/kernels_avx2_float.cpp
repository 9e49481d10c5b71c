#include <immintrin.h>

#include "engine/backends/cpu/kernels_avx2.h"
#include "engine/backends/cpu/simd_avx2.h"

// Panels of 16 rows in F32, F16 or BF16 times rows of F32. Each output is one chain of FMAs over
// k = 0, 1, 2, ... whatever the number of rows.
// Per call: 16 k sizeof(weight) bytes of weights, 32 k FLOPs a row. One row is bound by memory;
// from 4 rows up the FMA units are (2 FMAs of 8 lanes a cycle).

namespace moebench::cpu::avx2 {
namespace {

struct LoadF32 {
  static constexpr std::int64_t kBytes = 4;
  static inline __m256 load(const std::byte* p) noexcept {
    return _mm256_load_ps(reinterpret_cast<const float*>(p));
  }
};
struct LoadF16 {
  static constexpr std::int64_t kBytes = 2;
  static inline __m256 load(const std::byte* p) noexcept {
    return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
  }
};
struct LoadBF16 {
  static constexpr std::int64_t kBytes = 2;
  static inline __m256 load(const std::byte* p) noexcept {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
  }
};

template <class Load, int kRows>
void tile(const std::byte* panel, std::int64_t k, const Activations& x, const std::int32_t* rows,
          float* out) noexcept {
  const float* xs[kRows];
  __m256 low[kRows], high[kRows];
#pragma GCC unroll 8
  for (int t = 0; t < kRows; ++t) {
    xs[t] = x.values + rows[t] * x.value_stride;
    low[t] = high[t] = _mm256_setzero_ps();
  }
  for (std::int64_t i = 0; i < k; ++i) {
    const __m256 w0 = Load::load(panel);
    const __m256 w1 = Load::load(panel + 8 * Load::kBytes);
    panel += 16 * Load::kBytes;
#pragma GCC unroll 8
    for (int t = 0; t < kRows; ++t) {
      const __m256 v = _mm256_broadcast_ss(xs[t] + i);
      low[t] = _mm256_fmadd_ps(w0, v, low[t]);
      high[t] = _mm256_fmadd_ps(w1, v, high[t]);
    }
  }
#pragma GCC unroll 8
  for (int t = 0; t < kRows; ++t) {
    _mm256_storeu_ps(out + 16 * t, low[t]);
    _mm256_storeu_ps(out + 16 * t + 8, high[t]);
  }
}

/// Serves up to six rows.
template <class Load>
constexpr auto kRun = &run_for_count<tile<Load, 1>, tile<Load, 2>, tile<Load, 3>, tile<Load, 4>,
                                     tile<Load, 5>, tile<Load, 6>>;

}  // namespace

TileOp tile_f32() noexcept { return {kRun<LoadF32>, 6}; }
// Five rows at most: with six, the conversions of F16 and the sums wait for each other (README.md).
TileOp tile_f16() noexcept { return {kRun<LoadF16>, 5}; }
TileOp tile_bf16() noexcept { return {kRun<LoadBF16>, 6}; }

}  // namespace moebench::cpu::avx2
