#include <cstring>

#include "engine/backends/cpu/kernels_avx2.h"
#include "engine/backends/cpu/simd_avx2.h"

// Attention over the cache's blocks of 32 positions, in ascending order, with an online softmax
// (Milakov and Gimelshein, arXiv 1805.02867). What is added in which order depends on a query's own
// position alone: a score is 8 chains of FMAs along the key, added as horizontal_sum does; a
// block's values are added position by position. A block's keys and values are read once for up to
// 8 queries. Per block and KV head: 32 (key_width + value_width) elements, 64 (key_width +
// value_width) FLOPs a query.

namespace moebench::cpu::avx2 {
namespace {

struct Half {
  using Element = std::uint16_t;
  static inline __m256 load(const Element* p) noexcept {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static inline float one(const Element* p) noexcept { return _cvtsh_ss(*p); }
};
struct Single {
  using Element = float;
  static inline __m256 load(const Element* p) noexcept { return _mm256_loadu_ps(p); }
  static inline float one(const Element* p) noexcept { return *p; }
};

/// Keys whose sums, and vectors of values whose outputs, are under way at once: eight chains of
/// FMAs.
template <int kQueries>
constexpr int kWide = 8 / kQueries;

/// horizontal_sum of each of four vectors.
inline __m128 horizontal_sums(__m256 a, __m256 b, __m256 c, __m256 d) noexcept {
  const __m256 sums = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
  return _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps(sums, 1));
}

/// scores[q * 32 + j] = queries[q] . key j, for kQueries queries and positions j in [from, to).
template <class Cache, int kQueries>
inline void score_block(const AttentionTask& a, int first_query,
                        const typename Cache::Element* keys, int from, int to,
                        float* scores) noexcept {
  constexpr int kKeys = kWide<kQueries>;
  const std::int64_t width = a.key_width;
  for (int j = from; j < to; j += kKeys) {
    const typename Cache::Element* key[kKeys];
#pragma GCC unroll 8
    for (int k = 0; k < kKeys; ++k)  // behind the end: the last one again, for nothing
      key[k] = keys + (j + k < to ? j + k : to - 1) * a.key_token_stride;
    __m256 sum[kQueries][kKeys];
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q)
#pragma GCC unroll 8
      for (int k = 0; k < kKeys; ++k) sum[q][k] = _mm256_setzero_ps();
    std::int64_t i = 0;
    for (; i + 8 <= width; i += 8) {
      if constexpr (kQueries == 4) {
        __m256 v[kKeys];
#pragma GCC unroll 8
        for (int k = 0; k < kKeys; ++k) v[k] = Cache::load(key[k] + i);
#pragma GCC unroll 8
        for (int q = 0; q < kQueries; ++q) {
          const __m256 x = _mm256_loadu_ps(a.queries[first_query + q] + i);
#pragma GCC unroll 8
          for (int k = 0; k < kKeys; ++k) sum[q][k] = _mm256_fmadd_ps(x, v[k], sum[q][k]);
        }
      } else {
        __m256 x[kQueries];
#pragma GCC unroll 8
        for (int q = 0; q < kQueries; ++q) x[q] = _mm256_loadu_ps(a.queries[first_query + q] + i);
#pragma GCC unroll 8
        for (int k = 0; k < kKeys; ++k) {
          const __m256 v = Cache::load(key[k] + i);
#pragma GCC unroll 8
          for (int q = 0; q < kQueries; ++q) sum[q][k] = _mm256_fmadd_ps(x[q], v, sum[q][k]);
        }
      }
    }
    alignas(16) float dot[8];  // by query, then key; of four queries by key, then query
    if constexpr (kQueries == 4) {
      _mm_store_ps(dot, horizontal_sums(sum[0][0], sum[1][0], sum[2][0], sum[3][0]));
      _mm_store_ps(dot + 4, horizontal_sums(sum[0][1], sum[1][1], sum[2][1], sum[3][1]));
    } else {
#pragma GCC unroll 2
      for (int n = 0; n < 8; n += 4) {
        const __m256* const four = sum[n / kKeys] + n % kKeys;
        _mm_store_ps(dot + n, horizontal_sums(four[0], four[1], four[2], four[3]));
      }
    }
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q)
#pragma GCC unroll 8
      for (int k = 0; k < kKeys; ++k) {
        float score = dot[kQueries == 4 ? k * kQueries + q : q * kKeys + k];
        for (std::int64_t r = i; r < width; ++r)
          score += a.queries[first_query + q][r] * Cache::one(key[k] + r);
        if (j + k < 32) scores[q * 32 + j + k] = score;  // behind `to`: not looked at
      }
  }
}

/// add_values for elements [i, i + 8 * kVectors) of each value.
template <class Cache, int kQueries, int kVectors>
inline void add_values_at(const AttentionTask& a, const typename Cache::Element* values, int from,
                          int to, const float* weights, float* outputs, std::int64_t i) noexcept {
  const std::int64_t width = a.value_width;
  __m256 out[kQueries][kVectors];
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q)
#pragma GCC unroll 8
    for (int n = 0; n < kVectors; ++n) out[q][n] = _mm256_loadu_ps(outputs + q * width + i + 8 * n);
  for (int j = from; j < to; ++j) {
    const typename Cache::Element* const v = values + j * a.value_token_stride + i;
    if constexpr (kQueries == 4) {
      __m256 value[kVectors];
#pragma GCC unroll 8
      for (int n = 0; n < kVectors; ++n) value[n] = Cache::load(v + 8 * n);
#pragma GCC unroll 8
      for (int q = 0; q < kQueries; ++q) {
        const __m256 w = _mm256_broadcast_ss(weights + q * 32 + j);
#pragma GCC unroll 8
        for (int n = 0; n < kVectors; ++n) out[q][n] = _mm256_fmadd_ps(w, value[n], out[q][n]);
      }
    } else {
      __m256 w[kQueries];
#pragma GCC unroll 8
      for (int q = 0; q < kQueries; ++q) w[q] = _mm256_broadcast_ss(weights + q * 32 + j);
#pragma GCC unroll 8
      for (int n = 0; n < kVectors; ++n) {
        const __m256 value = Cache::load(v + 8 * n);
#pragma GCC unroll 8
        for (int q = 0; q < kQueries; ++q) out[q][n] = _mm256_fmadd_ps(w[q], value, out[q][n]);
      }
    }
  }
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q)
#pragma GCC unroll 8
    for (int n = 0; n < kVectors; ++n) _mm256_storeu_ps(outputs + q * width + i + 8 * n, out[q][n]);
}

/// output[q] += sum over j in [from, to) of weights[q * 32 + j] * value j.
template <class Cache, int kQueries>
inline void add_values(const AttentionTask& a, const typename Cache::Element* values, int from,
                       int to, const float* weights, float* outputs) noexcept {
  constexpr int kVectors = kWide<kQueries>;
  const std::int64_t width = a.value_width;
  std::int64_t i = 0;
  for (; i + 8 * kVectors <= width; i += 8 * kVectors)
    add_values_at<Cache, kQueries, kVectors>(a, values, from, to, weights, outputs, i);
  for (; i + 16 <= width; i += 16)
    add_values_at<Cache, kQueries, 2>(a, values, from, to, weights, outputs, i);
  for (; i + 8 <= width; i += 8)
    add_values_at<Cache, kQueries, 1>(a, values, from, to, weights, outputs, i);
  for (; i < width; ++i)
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q)
      for (int j = from; j < to; ++j)
        outputs[q * width + i] +=
            weights[q * 32 + j] * Cache::one(values + j * a.value_token_stride + i);
}

struct Softmax {
  float highest, sum;
};

/// Turns a query's scores of a block into weights relative to the highest score so far, and
/// rescales what was added under an older one. Positions outside [from, to) get weight 0.
inline void update_softmax(float* scores, int from, int to, float scale, Softmax& state,
                           float* output, std::int64_t width) noexcept {
  const float lowest = -__builtin_inff();
  for (int j = 0; j < from; ++j) scores[j] = lowest;
  for (int j = to; j < 32; ++j) scores[j] = lowest;
  __m256 s[4];
  for (int i = 0; i < 4; ++i)
    s[i] = _mm256_mul_ps(_mm256_loadu_ps(scores + 8 * i), _mm256_set1_ps(scale));
  for (int i = 0; i < 4; ++i) {  // a masked score stays -inf whatever the scale's sign
    const __m256 masked =
        _mm256_cmp_ps(_mm256_loadu_ps(scores + 8 * i), _mm256_set1_ps(lowest), _CMP_EQ_OQ);
    s[i] = _mm256_blendv_ps(s[i], _mm256_set1_ps(lowest), masked);
  }
  const float block =
      horizontal_max(_mm256_max_ps(_mm256_max_ps(s[0], s[1]), _mm256_max_ps(s[2], s[3])));
  if (block > state.highest) {
    if (state.sum != 0.0f) {
      const __m256 shrink = exp_ps(_mm256_set1_ps(state.highest - block));
      state.sum *= _mm256_cvtss_f32(shrink);
      std::int64_t i = 0;
      for (; i + 8 <= width; i += 8)
        _mm256_storeu_ps(output + i, _mm256_mul_ps(_mm256_loadu_ps(output + i), shrink));
      for (; i < width; ++i) output[i] *= _mm256_cvtss_f32(shrink);
    }
    state.highest = block;
  }
  const __m256 highest = _mm256_set1_ps(state.highest);
  for (int i = 0; i < 4; ++i) {
    s[i] = exp_ps(_mm256_sub_ps(s[i], highest));
    _mm256_storeu_ps(scores + 8 * i, s[i]);
  }
  state.sum += horizontal_sum(_mm256_add_ps(_mm256_add_ps(s[0], s[1]), _mm256_add_ps(s[2], s[3])));
}

template <class Cache, int kQueries>
inline void attend_block(const AttentionTask& a, int first_query, std::int64_t block,
                         const typename Cache::Element* keys, const typename Cache::Element* values,
                         Softmax* states, float* outputs, float* scores) noexcept {
  const std::int64_t start = block * kAttentionBlock;
  int from[kQueries], to[kQueries], low = 32, high = 0;
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
    const std::int64_t f = a.first[first_query + q] - start;
    const std::int64_t l = a.last[first_query + q] + 1 - start;
    from[q] = f < 0 ? 0 : f > 32 ? 32 : static_cast<int>(f);
    to[q] = l < 0 ? 0 : l > 32 ? 32 : static_cast<int>(l);
    if (from[q] >= to[q]) continue;
    low = from[q] < low ? from[q] : low;
    high = to[q] > high ? to[q] : high;
  }
  if (low >= high) return;
  score_block<Cache, kQueries>(a, first_query, keys, low, high, scores);
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
    if (from[q] >= to[q]) {
      std::memset(scores + 32 * q, 0, 32 * sizeof(float));
      continue;
    }
    update_softmax(scores + 32 * q, from[q], to[q], a.scale, states[first_query + q],
                   outputs + q * a.value_width, a.value_width);
  }
  add_values<Cache, kQueries>(a, values, low, high, scores, outputs);
}

template <class Cache>
void attend(const AttentionTask& a) noexcept {
  using Element = typename Cache::Element;
  float* const outputs = a.scratch;
  float* const scores = outputs + AttentionTask::kMaxQueries * a.value_width;
  Softmax states[AttentionTask::kMaxQueries];
  std::int64_t first = a.first[0], last = a.last[0];
  for (int q = 0; q < a.count; ++q) {
    states[q] = {-__builtin_inff(), 0.0f};
    first = a.first[q] < first ? a.first[q] : first;
    last = a.last[q] > last ? a.last[q] : last;
  }
  std::memset(outputs, 0, sizeof(float) * static_cast<std::size_t>(a.count * a.value_width));
  for (std::int64_t block = first / kAttentionBlock; block <= last / kAttentionBlock; ++block) {
    const Element* const keys =
        static_cast<const Element*>(a.keys) + a.pages[block] * a.key_page_stride;
    const Element* const values =
        static_cast<const Element*>(a.values) + a.pages[block] * a.value_page_stride;
    int q = 0;
    for (; q + 4 <= a.count; q += 4)
      attend_block<Cache, 4>(a, q, block, keys, values, states, outputs + q * a.value_width,
                             scores);
    for (; q + 2 <= a.count; q += 2)
      attend_block<Cache, 2>(a, q, block, keys, values, states, outputs + q * a.value_width,
                             scores);
    if (q < a.count)
      attend_block<Cache, 1>(a, q, block, keys, values, states, outputs + q * a.value_width,
                             scores);
  }
  for (int q = 0; q < a.count; ++q) {
    const float* const from = outputs + q * a.value_width;
    const __m256 sum = _mm256_set1_ps(states[q].sum);
    std::int64_t i = 0;
    for (; i + 8 <= a.value_width; i += 8)
      _mm256_storeu_ps(a.outputs[q] + i, _mm256_div_ps(_mm256_loadu_ps(from + i), sum));
    for (; i < a.value_width; ++i) a.outputs[q][i] = from[i] / states[q].sum;
  }
}

}  // namespace

void attention(const AttentionTask& task) noexcept {
  task.half ? attend<Half>(task) : attend<Single>(task);
}

}  // namespace moebench::cpu::avx2
