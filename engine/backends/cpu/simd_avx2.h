#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "engine/backends/cpu/kernels.h"

// Shared pieces of the AVX2 files. All in an unnamed namespace: each file keeps its own copy, so no
// AVX2 code can be linked into a baseline caller.

namespace moebench::cpu::avx2 {
namespace {

/// Asks for the lines of weights[0, kBytes) of a stream, kAhead bytes before they are needed: the
/// hardware's prefetchers stop at each 4 KiB page, a stream of weights does not.
template <int kBytes>
inline void prefetch_stream(const std::byte* weights) noexcept {
  constexpr int kAhead = 3072;
#pragma GCC unroll 32
  for (int i = 0; i < kBytes; i += 64)
    _mm_prefetch(reinterpret_cast<const char*>(weights + kAhead + i), _MM_HINT_T0);
}

/// Makes the compiler finish `v` here. g++ 12 otherwise puts the additions of an unrolled tile off
/// until its products no longer fit the registers, and spills them: half the speed.
[[maybe_unused]] inline void settle(__m256i& v) noexcept { asm volatile("" : "+x"(v)); }

/// TileOp::run by kernels of a fixed number of rows, those for 1, 2, ... in turn; `count` is at
/// most how many there are.
template <auto kKernel, auto... kMore>
void run_for_count(const std::byte* panel, std::int64_t k, const Activations& x,
                   const std::int32_t* rows, int count, float* out) noexcept {
  if constexpr (sizeof...(kMore) > 0) {
    if (count > 1) return run_for_count<kMore...>(panel, k, x, rows, count - 1, out);
  }
  kKernel(panel, k, x, rows, out);
}

/// ((v0 + v1) + (v2 + v3)) + ((v4 + v5) + (v6 + v7)).
[[maybe_unused]] inline float horizontal_sum(__m256 v) noexcept {
  v = _mm256_hadd_ps(v, v);
  v = _mm256_hadd_ps(v, v);
  return _mm_cvtss_f32(_mm_add_ss(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)));
}

[[maybe_unused]] inline float horizontal_max(__m256 v) noexcept {
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_shuffle_ps(m, m, 1)));
}

/// e^x within 2 ulp for x <= 88; 0 below -87.3; NaN stays NaN. x = n ln 2 + r with |r| <= ln 2 / 2,
/// e^r by its Taylor polynomial of degree 7 (truncation error below 1e-8 relative).
[[maybe_unused]] inline __m256 exp_ps(__m256 x) noexcept {
  const __m256 underflow = _mm256_cmp_ps(x, _mm256_set1_ps(-87.3f), _CMP_LT_OQ);
  // min(88, x) keeps a NaN in x: the second operand wins.
  const __m256 clamped =
      _mm256_max_ps(_mm256_set1_ps(-87.3f), _mm256_min_ps(_mm256_set1_ps(88.0f), x));
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(clamped, _mm256_set1_ps(1.44269504f)),
                                   _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  // ln 2 in two parts, the first exact in few bits, so that n * ln2 loses nothing.
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), clamped);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
  __m256 p = _mm256_set1_ps(1.0f / 5040);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 720));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 120));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 24));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 6));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
  const __m256i power =
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  p = _mm256_mul_ps(p, _mm256_castsi256_ps(power));
  // NaN through max/min and the conversion of n is not to be relied on: put it back.
  p = _mm256_blendv_ps(p, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
  return _mm256_andnot_ps(underflow, p);
}

}  // namespace
}  // namespace moebench::cpu::avx2
