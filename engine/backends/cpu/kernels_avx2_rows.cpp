#include <cmath>
#include <cstring>

#include "engine/backends/cpu/kernels_avx2.h"
#include "engine/backends/cpu/simd_avx2.h"

// Row-wise ops: read once, written once, a few FLOPs an element; they live in the L1 and L2 caches.

namespace moebench::cpu::avx2 {
namespace {

inline __m256 absolute(__m256 v) noexcept {
  return _mm256_and_ps(v, _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff)));
}

/// The largest magnitude of kVectors * 8 values, as bits: NaN > infinity > any number.
template <int kVectors>
inline std::uint32_t largest_magnitude_bits(const float* x) noexcept {
  __m256i m = _mm256_setzero_si256();
  for (int i = 0; i < kVectors; ++i)
    m = _mm256_max_epi32(m, _mm256_castps_si256(absolute(_mm256_loadu_ps(x + 8 * i))));
  __m128i h = _mm_max_epi32(_mm256_castsi256_si128(m), _mm256_extracti128_si256(m, 1));
  h = _mm_max_epi32(h, _mm_shuffle_epi32(h, 0x4e));
  h = _mm_max_epi32(h, _mm_shuffle_epi32(h, 0xb1));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(h));
}

/// 32 values times `inverse`, rounded to nearest even, as int8; and the sums of their halves.
inline void round_32(const float* x, __m256 inverse, std::int8_t* q, std::int16_t* sums) noexcept {
  __m256i v[4];
  for (int i = 0; i < 4; ++i)
    v[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), inverse));
  // packs work within 128-bit lanes; the permutation puts the groups of four back in order.
  const __m256i bytes = _mm256_permutevar8x32_epi32(
      _mm256_packs_epi16(_mm256_packs_epi32(v[0], v[1]), _mm256_packs_epi32(v[2], v[3])),
      _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(q), bytes);
  for (int half = 0; half < 2; ++half) {
    const __m256i s = _mm256_add_epi32(v[2 * half], v[2 * half + 1]);
    __m128i h = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
    h = _mm_add_epi32(h, _mm_shuffle_epi32(h, 0x4e));
    h = _mm_add_epi32(h, _mm_shuffle_epi32(h, 0xb1));
    sums[half] = static_cast<std::int16_t>(_mm_cvtsi128_si32(h));
  }
}

template <int kBlock>
inline void quantize(const float* x, std::int64_t k, std::int8_t* q, float* scales,
                     std::int16_t* sums) noexcept {
  for (std::int64_t b = 0; b < k / kBlock; ++b, x += kBlock, q += kBlock, sums += kBlock / 16) {
    const std::uint32_t bits = largest_magnitude_bits<kBlock / 8>(x);
    float largest;
    std::memcpy(&largest, &bits, sizeof largest);
    // 127 / largest must stay finite: what is smaller counts as zero.
    if (bits >= 0x7f800000u || largest < 1e-30f) {
      std::memset(q, 0, kBlock);
      std::memset(sums, 0, sizeof(std::int16_t) * (kBlock / 16));
      const std::uint32_t nan = 0x7fc00000u, zero = 0;
      std::memcpy(scales + b, bits >= 0x7f800000u ? &nan : &zero, sizeof(float));
      continue;
    }
    scales[b] = largest / 127.0f;
    const __m256 inverse = _mm256_set1_ps(127.0f / largest);
    for (int i = 0; i < kBlock / 32; ++i) round_32(x + 32 * i, inverse, q + 32 * i, sums + 2 * i);
  }
}

}  // namespace

void quantize_32(const float* x, std::int64_t k, std::int8_t* q, float* scales,
                 std::int16_t* sums) noexcept {
  quantize<32>(x, k, q, scales, sums);
}

void quantize_256(const float* x, std::int64_t k, std::int8_t* q, float* scales,
                  std::int16_t* sums) noexcept {
  quantize<256>(x, k, q, scales, sums);
}

void rms_norm(float* out, const float* x, const float* weight, std::int64_t n,
              float epsilon) noexcept {
  __m256 squares = _mm256_setzero_ps();
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256 v = _mm256_loadu_ps(x + i);
    squares = _mm256_fmadd_ps(v, v, squares);
  }
  float sum = horizontal_sum(squares);
  for (; i < n; ++i) sum += x[i] * x[i];
  const float factor = 1.0f / std::sqrt(sum / static_cast<float>(n) + epsilon);
  const __m256 factors = _mm256_set1_ps(factor);
  for (i = 0; i + 8 <= n; i += 8)
    _mm256_storeu_ps(out + i, _mm256_mul_ps(_mm256_mul_ps(_mm256_loadu_ps(x + i), factors),
                                            _mm256_loadu_ps(weight + i)));
  for (; i < n; ++i) out[i] = x[i] * factor * weight[i];
}

void silu_product(float* out, const float* gate, const float* up, std::int64_t n) noexcept {
  const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f);
  const auto eight = [&](__m256 g, __m256 u) noexcept {
    const __m256 sigmoid = _mm256_div_ps(one, _mm256_add_ps(one, exp_ps(_mm256_xor_ps(g, sign))));
    return _mm256_mul_ps(_mm256_mul_ps(g, sigmoid), u);
  };
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(out + i, eight(_mm256_loadu_ps(gate + i), _mm256_loadu_ps(up + i)));
  if (i == n) return;
  float g[8] = {}, u[8] = {};
  std::memcpy(g, gate + i, sizeof(float) * static_cast<std::size_t>(n - i));
  std::memcpy(u, up + i, sizeof(float) * static_cast<std::size_t>(n - i));
  _mm256_storeu_ps(g, eight(_mm256_loadu_ps(g), _mm256_loadu_ps(u)));
  std::memcpy(out + i, g, sizeof(float) * static_cast<std::size_t>(n - i));
}

void add_weighted_rows(float* out, std::int64_t out_stride, const std::int32_t* rows,
                       const float* weights, const float* tile, std::int64_t tile_stride, int count,
                       std::int64_t n) noexcept {
  for (int t = 0; t < count; ++t) {
    float* const to = out + rows[t] * out_stride;
    const float* const from = tile + t * tile_stride;
    const __m256 weight = _mm256_set1_ps(weights[t]);
    std::int64_t c = 0;
    for (; c + 8 <= n; c += 8)
      _mm256_storeu_ps(to + c, _mm256_add_ps(_mm256_loadu_ps(to + c),
                                             _mm256_mul_ps(weight, _mm256_loadu_ps(from + c))));
    for (; c < n; ++c) to[c] += weights[t] * from[c];
  }
}

void to_half(std::uint16_t* out, const float* x, std::int64_t n) noexcept {
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
  for (; i < n; ++i) out[i] = _cvtss_sh(x[i], _MM_FROUND_TO_NEAREST_INT);
}

}  // namespace moebench::cpu::avx2
