#include "engine/microbench/ceilings_avx2.h"

#include <immintrin.h>

namespace moebench::microbench {

std::uint64_t read_avx2(const std::byte* data, std::size_t bytes) noexcept {
  __m256i sum[8];
  for (__m256i& s : sum) s = _mm256_setzero_si256();
  for (std::size_t i = 0; i < bytes; i += 256)
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j)
      sum[j] = _mm256_add_epi64(
          sum[j], _mm256_load_si256(reinterpret_cast<const __m256i*>(data + i + 32 * j)));
  for (int j = 1; j < 8; ++j) sum[0] = _mm256_add_epi64(sum[0], sum[j]);
  return static_cast<std::uint64_t>(_mm256_extract_epi64(sum[0], 0)) +
         static_cast<std::uint64_t>(_mm256_extract_epi64(sum[0], 1)) +
         static_cast<std::uint64_t>(_mm256_extract_epi64(sum[0], 2)) +
         static_cast<std::uint64_t>(_mm256_extract_epi64(sum[0], 3));
}

float fma_avx2(std::int64_t rounds) noexcept {
  __m256 acc[10];
  for (__m256& a : acc) a = _mm256_setzero_ps();
  const __m256 x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(1e-3f);
  for (std::int64_t i = 0; i < rounds; ++i)
#pragma GCC unroll 10
    for (int j = 0; j < 10; ++j) acc[j] = _mm256_fmadd_ps(acc[j], x, y);
  for (int j = 1; j < 10; ++j) acc[0] = _mm256_add_ps(acc[0], acc[j]);
  return _mm256_cvtss_f32(acc[0]);
}

int int8_avx2(std::int64_t rounds) noexcept {
  __m256i acc[8];
  for (__m256i& a : acc) a = _mm256_setzero_si256();
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i w = _mm256_set1_epi8(3), x = _mm256_set1_epi8(-5);
  for (std::int64_t i = 0; i < rounds; ++i) {
    // An empty asm keeps the compiler from computing the same products once.
    asm volatile("" : "+x"(w), "+x"(x));
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      asm volatile("" : "+x"(w));
      acc[j] = _mm256_add_epi32(acc[j], _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), ones));
    }
  }
  for (int j = 1; j < 8; ++j) acc[0] = _mm256_add_epi32(acc[0], acc[j]);
  return _mm256_extract_epi32(acc[0], 0);
}

}  // namespace moebench::microbench
