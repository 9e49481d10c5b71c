#include <cmath>
#include <cstring>
#include <limits>

#include "engine/backends/cpu/kernels.h"
#include "engine/tensor/convert.h"

// The twin of every vectorised kernel in plain C++: what runs where no better level is there, and
// what the others are compared with. The integer parts are exact and therefore equal to the vector
// kernels' bit by bit; float sums run in the same order, but without FMA.

namespace moebench::cpu {
namespace {

float half_at(const std::byte* p, std::int64_t i) noexcept {
  std::uint16_t bits;
  std::memcpy(&bits, p + 2 * i, 2);
  return f16_to_f32(bits);
}
std::uint8_t byte_at(const std::byte* p, std::int64_t i) noexcept {
  return static_cast<std::uint8_t>(p[i]);
}

template <class Load>
void tile_plain(const std::byte* panel, std::int64_t k, const Activations& x,
                const std::int32_t* rows, int count, float* out, Load load) noexcept {
  for (int t = 0; t < count; ++t) {
    const float* const v = x.values + rows[t] * x.value_stride;
    float sum[16] = {};
    for (std::int64_t i = 0; i < k; ++i)
      for (int r = 0; r < 16; ++r) sum[r] += load(panel, 16 * i + r) * v[i];
    std::memcpy(out + 16 * t, sum, sizeof sum);
  }
}

void tile_f32(const std::byte* panel, std::int64_t k, const Activations& x,
              const std::int32_t* rows, int count, float* out) noexcept {
  tile_plain(panel, k, x, rows, count, out, [](const std::byte* p, std::int64_t i) noexcept {
    float v;
    std::memcpy(&v, p + 4 * i, 4);
    return v;
  });
}
void tile_f16(const std::byte* panel, std::int64_t k, const Activations& x,
              const std::int32_t* rows, int count, float* out) noexcept {
  tile_plain(panel, k, x, rows, count, out, &half_at);
}
void tile_bf16(const std::byte* panel, std::int64_t k, const Activations& x,
               const std::int32_t* rows, int count, float* out) noexcept {
  tile_plain(panel, k, x, rows, count, out, [](const std::byte* p, std::int64_t i) noexcept {
    std::uint16_t bits;
    std::memcpy(&bits, p + 2 * i, 2);
    return bf16_to_f32(bits);
  });
}

// Element (group g of 8, row r, neighbour e of 4) of a block of 32.
int q8(const std::byte* block, int g, int r, int e) noexcept {
  return static_cast<std::int8_t>(byte_at(block, 32 * g + 4 * r + e));
}
int nibble(const std::byte* block, int g, int r, int e) noexcept {
  const int b = byte_at(block, 32 * (g % 4) + 4 * r + e);
  return g < 4 ? b & 15 : b >> 4;
}
int q5(const std::byte* block, int g, int r, int e) noexcept {
  return nibble(block, g, r, e) | ((byte_at(block, 128 + 4 * r + e) >> g & 1) << 4);
}
int q6(const std::byte* block, int g, int r, int e) noexcept {
  const int high = byte_at(block, 128 + 32 * (g / 4) + 4 * r + e) >> (2 * (g % 4)) & 3;
  return nibble(block, g, r, e) | high << 4;
}

using Element = int (*)(const std::byte* block, int g, int r, int e) noexcept;

int dot_groups(Element element, const std::byte* block, int first_group, int groups, int r,
               const std::int8_t* x) noexcept {
  int sum = 0;
  for (int g = 0; g < groups; ++g)
    for (int e = 0; e < 4; ++e) sum += element(block, first_group + g, r, e) * x[4 * g + e];
  return sum;
}

void tile_32(const std::byte* panel, std::int64_t k, const Activations& x, const std::int32_t* rows,
             int count, float* out, Element element, std::int64_t block_bytes, int scale_count,
             int offset) noexcept {
  const std::int64_t blocks = k / 32;
  const std::byte* const quants = panel + (blocks * 16 * scale_count + 31) / 32 * 32;
  for (int t = 0; t < count; ++t) {
    const std::int8_t* const q = x.q + rows[t] * x.q_stride;
    const float* const scales = x.scales + rows[t] * x.scale_stride;
    const std::int16_t* const sums = x.sums + rows[t] * x.sum_stride;
    for (int r = 0; r < 8; ++r) {
      float acc = 0.0f;
      for (std::int64_t b = 0; b < blocks; ++b) {
        const std::byte* const d = panel + 16 * scale_count * b;
        const int sum = sums[2 * b] + sums[2 * b + 1];
        const int dot =
            dot_groups(element, quants + block_bytes * b, 0, 8, r, q + 32 * b) - offset * sum;
        acc += static_cast<float>(dot) * (half_at(d, r) * scales[b]);
        if (scale_count == 2) acc += half_at(d, 8 + r) * (scales[b] * static_cast<float>(sum));
      }
      out[8 * t + r] = acc;
    }
  }
}

void tile_q8_0(const std::byte* panel, std::int64_t k, const Activations& x,
               const std::int32_t* rows, int count, float* out) noexcept {
  tile_32(panel, k, x, rows, count, out, &q8, 256, 1, 0);
}
void tile_q5_0(const std::byte* panel, std::int64_t k, const Activations& x,
               const std::int32_t* rows, int count, float* out) noexcept {
  tile_32(panel, k, x, rows, count, out, &q5, 160, 1, 16);
}
void tile_q4_0(const std::byte* panel, std::int64_t k, const Activations& x,
               const std::int32_t* rows, int count, float* out) noexcept {
  tile_32(panel, k, x, rows, count, out, &nibble, 128, 1, 8);
}
void tile_q4_1(const std::byte* panel, std::int64_t k, const Activations& x,
               const std::int32_t* rows, int count, float* out) noexcept {
  tile_32(panel, k, x, rows, count, out, &nibble, 128, 2, 0);
}

void tile_q4_k(const std::byte* panel, std::int64_t k, const Activations& x,
               const std::int32_t* rows, int count, float* out) noexcept {
  for (int t = 0; t < count; ++t) {
    const float* const scales = x.scales + rows[t] * x.scale_stride;
    for (int r = 0; r < 8; ++r) {
      float acc = 0.0f;
      for (std::int64_t b = 0; b < k / 256; ++b) {
        const std::byte* const p = panel + 1184 * b;
        const std::int8_t* const q = x.q + rows[t] * x.q_stride + 256 * b;
        const std::int16_t* const sums = x.sums + rows[t] * x.sum_stride + 16 * b;
        int total = 0, minima = 0;
        for (int s = 0; s < 8; ++s) {
          const int pair = 16 * (s / 2) + 2 * r + s % 2;
          total +=
              byte_at(p, 32 + pair) * dot_groups(&nibble, p + 160 + 128 * s, 0, 8, r, q + 32 * s);
          minima += byte_at(p, 96 + pair) * (sums[2 * s] + sums[2 * s + 1]);
        }
        acc += static_cast<float>(total) * (half_at(p, r) * scales[b]);
        acc -= static_cast<float>(minima) * (half_at(p, 8 + r) * scales[b]);
      }
      out[8 * t + r] = acc;
    }
  }
}

void tile_q6_k(const std::byte* panel, std::int64_t k, const Activations& x,
               const std::int32_t* rows, int count, float* out) noexcept {
  for (int t = 0; t < count; ++t) {
    const float* const scales = x.scales + rows[t] * x.scale_stride;
    for (int r = 0; r < 8; ++r) {
      float acc = 0.0f;
      for (std::int64_t b = 0; b < k / 256; ++b) {
        const std::byte* const p = panel + 1696 * b;
        const std::int8_t* const q = x.q + rows[t] * x.q_stride + 256 * b;
        const std::int16_t* const sums = x.sums + rows[t] * x.sum_stride + 16 * b;
        int total = 0;
        for (int g = 0; g < 16; ++g) {
          const int scale = static_cast<std::int8_t>(byte_at(p, 32 + 16 * (g / 2) + 2 * r + g % 2));
          total +=
              scale * (dot_groups(&q6, p + 160 + 192 * (g / 2), 4 * (g % 2), 4, r, q + 16 * g) -
                       32 * sums[g]);
        }
        acc += static_cast<float>(total) * (half_at(p, r) * scales[b]);
      }
      out[8 * t + r] = acc;
    }
  }
}

void quantize(const float* x, std::int64_t k, std::int64_t block, std::int8_t* q, float* scales,
              std::int16_t* sums) noexcept {
  for (std::int64_t b = 0; b < k / block; ++b, x += block, q += block) {
    float largest = 0.0f;
    bool finite = true;
    for (std::int64_t i = 0; i < block; ++i) {
      const float m = std::fabs(x[i]);
      finite = finite && m <= std::numeric_limits<float>::max();
      largest = m > largest ? m : largest;
    }
    const bool zero = !finite || largest < 1e-30f;
    scales[b] = !finite ? std::numeric_limits<float>::quiet_NaN() : zero ? 0.0f : largest / 127.0f;
    const float inverse = zero ? 0.0f : 127.0f / largest;
    for (std::int64_t g = 0; g < block / 16; ++g, ++sums) {
      int sum = 0;
      for (std::int64_t i = 16 * g; i < 16 * g + 16; ++i) {
        const int v = zero ? 0 : static_cast<int>(std::nearbyint(x[i] * inverse));
        q[i] = static_cast<std::int8_t>(v);
        sum += v;
      }
      *sums = static_cast<std::int16_t>(sum);
    }
  }
}

void quantize_32(const float* x, std::int64_t k, std::int8_t* q, float* scales,
                 std::int16_t* sums) noexcept {
  quantize(x, k, 32, q, scales, sums);
}
void quantize_256(const float* x, std::int64_t k, std::int8_t* q, float* scales,
                  std::int16_t* sums) noexcept {
  quantize(x, k, 256, q, scales, sums);
}

void rms_norm(float* out, const float* x, const float* weight, std::int64_t n,
              float epsilon) noexcept {
  float sum = 0.0f;
  for (std::int64_t i = 0; i < n; ++i) sum += x[i] * x[i];
  const float factor = 1.0f / std::sqrt(sum / static_cast<float>(n) + epsilon);
  for (std::int64_t i = 0; i < n; ++i) out[i] = x[i] * factor * weight[i];
}

void silu_product(float* out, const float* gate, const float* up, std::int64_t n) noexcept {
  for (std::int64_t i = 0; i < n; ++i) out[i] = gate[i] / (1.0f + std::exp(-gate[i])) * up[i];
}

void add_weighted_rows(float* out, std::int64_t out_stride, const std::int32_t* rows,
                       const float* weights, const float* tile, std::int64_t tile_stride, int count,
                       std::int64_t n) noexcept {
  for (int t = 0; t < count; ++t)
    for (std::int64_t c = 0; c < n; ++c)
      out[rows[t] * out_stride + c] += weights[t] * tile[t * tile_stride + c];
}

void to_half(std::uint16_t* out, const float* x, std::int64_t n) noexcept {
  for (std::int64_t i = 0; i < n; ++i) out[i] = f32_to_f16(x[i]);
}

float cached(const AttentionTask& a, const void* base, std::int64_t at) noexcept {
  return a.half ? f16_to_f32(static_cast<const std::uint16_t*>(base)[at])
                : static_cast<const float*>(base)[at];
}

// The same blocks and online softmax as the vector kernels.
void attention(const AttentionTask& a) noexcept {
  for (int n = 0; n < a.count; ++n) {
    float* const sums = a.scratch;
    for (std::int64_t i = 0; i < a.value_width; ++i) sums[i] = 0.0f;
    float highest = -std::numeric_limits<float>::infinity(), total = 0.0f;
    for (std::int64_t start = a.first[n] / kAttentionBlock * kAttentionBlock; start <= a.last[n];
         start += kAttentionBlock) {
      const std::int64_t page = a.pages[start / kAttentionBlock];
      const std::int64_t from = a.first[n] > start ? a.first[n] - start : 0;
      const std::int64_t to =
          a.last[n] - start + 1 < kAttentionBlock ? a.last[n] - start + 1 : kAttentionBlock;
      float scores[kAttentionBlock], block = highest;
      for (std::int64_t j = from; j < to; ++j) {
        const std::int64_t at = page * a.key_page_stride + j * a.key_token_stride;
        float dot = 0.0f;
        for (std::int64_t i = 0; i < a.key_width; ++i)
          dot += a.queries[n][i] * cached(a, a.keys, at + i);
        scores[j] = dot * a.scale;
        block = scores[j] > block ? scores[j] : block;
      }
      if (block > highest && total != 0.0f) {
        const float shrink = std::exp(highest - block);
        total *= shrink;
        for (std::int64_t i = 0; i < a.value_width; ++i) sums[i] *= shrink;
      }
      highest = block;
      for (std::int64_t j = from; j < to; ++j) {
        const float weight = std::exp(scores[j] - highest);
        const std::int64_t at = page * a.value_page_stride + j * a.value_token_stride;
        total += weight;
        for (std::int64_t i = 0; i < a.value_width; ++i)
          sums[i] += weight * cached(a, a.values, at + i);
      }
    }
    for (std::int64_t i = 0; i < a.value_width; ++i) a.outputs[n][i] = sums[i] / total;
  }
}

}  // namespace

const Kernels& scalar_kernels() noexcept {
  static const Kernels kernels = {
      "scalar",
      {{&tile_f32, 8},
       {&tile_f16, 8},
       {&tile_bf16, 8},
       {&tile_q8_0, 8},
       {&tile_q5_0, 8},
       {&tile_q4_0, 8},
       {&tile_q4_1, 8},
       {&tile_q4_k, 8},
       {&tile_q6_k, 8}},
      &quantize_32,
      &quantize_256,
      &rms_norm,
      &silu_product,
      &add_weighted_rows,
      &to_half,
      &attention,
  };
  return kernels;
}

}  // namespace moebench::cpu
