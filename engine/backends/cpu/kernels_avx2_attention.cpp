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

/// scores[q * 32 + j] = queries[q] . key j, for kQueries queries and positions j in [from, to).
template <class Cache, int kQueries>
inline void score_block(const AttentionTask& a, int first_query,
                        const typename Cache::Element* keys, int from, int to,
                        float* scores) noexcept {
  const std::int64_t width = a.key_width;
  for (int j = from; j < to; j += 2) {
    const typename Cache::Element* const k0 = keys + j * a.key_token_stride;
    const typename Cache::Element* const k1 = j + 1 < to ? k0 + a.key_token_stride : k0;
    __m256 s0[kQueries], s1[kQueries];
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) s0[q] = s1[q] = _mm256_setzero_ps();
    std::int64_t i = 0;
    for (; i + 8 <= width; i += 8) {
      const __m256 v0 = Cache::load(k0 + i), v1 = Cache::load(k1 + i);
#pragma GCC unroll 4
      for (int q = 0; q < kQueries; ++q) {
        const __m256 x = _mm256_loadu_ps(a.queries[first_query + q] + i);
        s0[q] = _mm256_fmadd_ps(x, v0, s0[q]);
        s1[q] = _mm256_fmadd_ps(x, v1, s1[q]);
      }
    }
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
      float d0 = horizontal_sum(s0[q]), d1 = horizontal_sum(s1[q]);
      for (std::int64_t r = i; r < width; ++r) {
        d0 += a.queries[first_query + q][r] * Cache::one(k0 + r);
        d1 += a.queries[first_query + q][r] * Cache::one(k1 + r);
      }
      scores[q * 32 + j] = d0;
      if (j + 1 < to) scores[q * 32 + j + 1] = d1;
    }
  }
}

/// output[q] += sum over j in [from, to) of weights[q * 32 + j] * value j.
template <class Cache, int kQueries>
inline void add_values(const AttentionTask& a, const typename Cache::Element* values, int from,
                       int to, const float* weights, float* outputs) noexcept {
  const std::int64_t width = a.value_width;
  std::int64_t i = 0;
  for (; i + 16 <= width; i += 16) {
    __m256 o0[kQueries], o1[kQueries];
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
      o0[q] = _mm256_loadu_ps(outputs + q * width + i);
      o1[q] = _mm256_loadu_ps(outputs + q * width + i + 8);
    }
    for (int j = from; j < to; ++j) {
      const typename Cache::Element* const v = values + j * a.value_token_stride + i;
      const __m256 v0 = Cache::load(v), v1 = Cache::load(v + 8);
#pragma GCC unroll 4
      for (int q = 0; q < kQueries; ++q) {
        const __m256 w = _mm256_broadcast_ss(weights + q * 32 + j);
        o0[q] = _mm256_fmadd_ps(w, v0, o0[q]);
        o1[q] = _mm256_fmadd_ps(w, v1, o1[q]);
      }
    }
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; ++q) {
      _mm256_storeu_ps(outputs + q * width + i, o0[q]);
      _mm256_storeu_ps(outputs + q * width + i + 8, o1[q]);
    }
  }
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
