#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/base/check.h"
#include "engine/tensor/block_types.h"
#include "engine/tensor/convert.h"

namespace moebench {
namespace {

// From F32 to the block types. Each group's scale is searched: a few starting values, each improved
// by least squares (for fixed integers q, the best scale is sum(xq)/sum(qq)), the one with the
// smallest squared error kept.

int round_clamped(float value, int low, int high) noexcept {
  return std::clamp(static_cast<int>(std::lrint(value)), low, high);
}

float inverse(float value) noexcept { return value != 0.0f ? 1.0f / value : 0.0f; }

/// The scale d that makes d * q, q an integer in [low, high], come nearest to x.
template <int kSize>
float fit_symmetric(const float* x, int low, int high) noexcept {
  float extreme = 0.0f;
  for (int i = 0; i < kSize; ++i)
    if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
  if (extreme == 0.0f) return 0.0f;
  float best_scale = 0.0f, best_error = std::numeric_limits<float>::infinity();
  constexpr std::array<float, 5> kShifts = {-0.5f, -0.25f, 0.0f, 0.25f, 0.5f};
  for (const float shift : kShifts) {
    // The largest magnitude goes to the end of the range that reaches further.
    float scale = extreme / (static_cast<float>(low) + shift);
    for (int round = 0; round < 2; ++round) {
      const float factor = inverse(scale);
      float xq = 0.0f, qq = 0.0f, xx = 0.0f;
      for (int i = 0; i < kSize; ++i) {
        const auto q = static_cast<float>(round_clamped(x[i] * factor, low, high));
        xq += x[i] * q;
        qq += q * q;
        xx += x[i] * x[i];
      }
      if (qq == 0.0f) break;
      scale = xq / qq;
      const float error = xx - xq * scale;  // of these q with the improved scale
      if (error < best_error) {
        best_error = error;
        best_scale = scale;
      }
    }
  }
  return best_scale;
}

struct Affine {
  float scale = 0.0f, min = 0.0f;  ///< x = scale * q + min
};

/// The same for q in [0, levels - 1] with an offset; `non_positive` forces min <= 0, as K-quants
/// need it.
template <int kSize>
Affine fit_affine(const float* x, int levels, bool non_positive) noexcept {
  const auto [low, high] = std::minmax_element(x, x + kSize);
  const float least = non_positive ? std::min(*low, 0.0f) : *low;
  const float range = *high - least;
  if (!(range > 0.0f)) return {0.0f, least};
  Affine best{range / static_cast<float>(levels - 1), least};
  float best_error = std::numeric_limits<float>::infinity();
  constexpr std::array<float, 4> kShifts = {-0.75f, -0.25f, 0.0f, 0.5f};
  for (const float shift : kShifts) {
    Affine fit{range / (static_cast<float>(levels - 1) + shift), least};
    for (int round = 0; round < 3; ++round) {
      const float factor = inverse(fit.scale);
      std::array<float, kSize> q;
      float sum_q = 0.0f, sum_qq = 0.0f, sum_x = 0.0f, sum_xq = 0.0f, error = 0.0f;
      for (int i = 0; i < kSize; ++i) {
        q[i] = static_cast<float>(round_clamped((x[i] - fit.min) * factor, 0, levels - 1));
        const float difference = fit.scale * q[i] + fit.min - x[i];
        error += difference * difference;
        sum_q += q[i];
        sum_qq += q[i] * q[i];
        sum_x += x[i];
        sum_xq += x[i] * q[i];
      }
      if (error < best_error) {
        best_error = error;
        best = fit;
      }
      const float n = static_cast<float>(kSize);
      const float determinant = n * sum_qq - sum_q * sum_q;
      if (!(determinant > 0.0f)) break;
      fit.scale = (n * sum_xq - sum_x * sum_q) / determinant;
      fit.min = (sum_x - fit.scale * sum_q) / n;
      if (non_positive && fit.min > 0.0f) {
        fit.min = 0.0f;
        fit.scale = sum_xq / sum_qq;
      }
      if (!(fit.scale > 0.0f)) break;
    }
  }
  return best;
}

std::uint8_t nibbles(int low, int high) noexcept {
  return static_cast<std::uint8_t>((low & 15) | (high & 15) << 4);
}

void encode(const float* x, BlockQ8_0& block) noexcept {
  float largest = 0.0f;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(x[i]));
  block.d = f32_to_f16(largest / 127.0f);
  const float factor = inverse(f16_to_f32(block.d));
  for (int i = 0; i < 32; ++i) {
    block.q[i] = static_cast<std::int8_t>(round_clamped(x[i] * factor, -127, 127));
  }
}

void encode(const float* x, BlockQ4_0& block) noexcept {
  block.d = f32_to_f16(fit_symmetric<32>(x, -8, 7));
  const float factor = inverse(f16_to_f32(block.d));
  for (int i = 0; i < 16; ++i) {
    block.q[i] = nibbles(round_clamped(x[i] * factor, -8, 7) + 8,
                         round_clamped(x[i + 16] * factor, -8, 7) + 8);
  }
}

void encode(const float* x, BlockQ4_1& block) noexcept {
  const Affine fit = fit_affine<32>(x, 16, false);
  block.d = f32_to_f16(fit.scale);
  block.m = f32_to_f16(fit.min);
  const float factor = inverse(f16_to_f32(block.d)), min = f16_to_f32(block.m);
  for (int i = 0; i < 16; ++i) {
    block.q[i] = nibbles(round_clamped((x[i] - min) * factor, 0, 15),
                         round_clamped((x[i + 16] - min) * factor, 0, 15));
  }
}

/// Five-bit values, split into nibbles and the bits above them.
template <class Block>
void store_five_bits(const std::array<int, 32>& values, Block& block) noexcept {
  std::uint32_t high = 0;
  for (int i = 0; i < 32; ++i) high |= static_cast<std::uint32_t>(values[i] >> 4 & 1) << i;
  std::memcpy(block.high, &high, sizeof high);
  for (int i = 0; i < 16; ++i) block.q[i] = nibbles(values[i], values[i + 16]);
}

void encode(const float* x, BlockQ5_0& block) noexcept {
  block.d = f32_to_f16(fit_symmetric<32>(x, -16, 15));
  const float factor = inverse(f16_to_f32(block.d));
  std::array<int, 32> values;
  for (int i = 0; i < 32; ++i) values[i] = round_clamped(x[i] * factor, -16, 15) + 16;
  store_five_bits(values, block);
}

void encode(const float* x, BlockQ5_1& block) noexcept {
  const Affine fit = fit_affine<32>(x, 32, false);
  block.d = f32_to_f16(fit.scale);
  block.m = f32_to_f16(fit.min);
  const float factor = inverse(f16_to_f32(block.d)), min = f16_to_f32(block.m);
  std::array<int, 32> values;
  for (int i = 0; i < 32; ++i) values[i] = round_clamped((x[i] - min) * factor, 0, 31);
  store_five_bits(values, block);
}

void pack_scale_min(std::uint8_t (&packed)[12], int j, int scale, int min) noexcept {
  if (j < 4) {
    packed[j] = static_cast<std::uint8_t>(packed[j] | scale);
    packed[j + 4] = static_cast<std::uint8_t>(packed[j + 4] | min);
  } else {
    packed[j + 4] = nibbles(scale, min);
    packed[j - 4] = static_cast<std::uint8_t>(packed[j - 4] | (scale >> 4) << 6);
    packed[j] = static_cast<std::uint8_t>(packed[j] | (min >> 4) << 6);
  }
}

/// Q4_K (16 levels) and Q5_K (32 levels).
template <class Block>
void encode_k(const float* x, Block& block, int levels) noexcept {
  std::array<Affine, 8> fits;
  float largest_scale = 0.0f, largest_min = 0.0f;
  for (int group = 0; group < 8; ++group) {
    fits[group] = fit_affine<32>(x + group * 32, levels, true);
    largest_scale = std::max(largest_scale, fits[group].scale);
    largest_min = std::max(largest_min, -fits[group].min);
  }
  std::memset(&block, 0, sizeof block);
  block.d = f32_to_f16(largest_scale / 63.0f);
  block.dmin = f32_to_f16(largest_min / 63.0f);
  const float d = f16_to_f32(block.d), dmin = f16_to_f32(block.dmin);
  for (int group = 0; group < 8; ++group) {
    const int scale = round_clamped(fits[group].scale * inverse(d), 0, 63);
    const int min = round_clamped(-fits[group].min * inverse(dmin), 0, 63);
    pack_scale_min(block.scales, group, scale, min);
    const float factor = inverse(d * static_cast<float>(scale));
    const float offset = dmin * static_cast<float>(min);
    for (int i = 0; i < 32; ++i) {
      const int value = round_clamped((x[group * 32 + i] + offset) * factor, 0, levels - 1);
      std::uint8_t& q = block.q[group / 2 * 32 + i];
      q = static_cast<std::uint8_t>(q | (value & 15) << (group % 2 * 4));
      if constexpr (requires { block.high; }) {
        block.high[i] = static_cast<std::uint8_t>(block.high[i] | (value >> 4) << group);
      }
    }
  }
}
void encode(const float* x, BlockQ4_K& block) noexcept { encode_k(x, block, 16); }
void encode(const float* x, BlockQ5_K& block) noexcept { encode_k(x, block, 32); }

void encode(const float* x, BlockQ6_K& block) noexcept {
  std::array<float, 16> scales;
  float extreme = 0.0f;
  for (int group = 0; group < 16; ++group) {
    scales[group] = fit_symmetric<16>(x + group * 16, -32, 31);
    if (std::fabs(scales[group]) > std::fabs(extreme)) extreme = scales[group];
  }
  std::memset(&block, 0, sizeof block);
  block.d = f32_to_f16(extreme / -128.0f);
  const float d = f16_to_f32(block.d);
  for (int group = 0; group < 16; ++group) {
    const int scale = round_clamped(scales[group] * inverse(d), -128, 127);
    block.scales[group] = static_cast<std::int8_t>(scale);
    const float factor = inverse(d * static_cast<float>(scale));
    const int half = group / 8, quarter = group % 8 / 2, offset = group % 2 * 16;
    for (int i = 0; i < 16; ++i) {
      const int value = round_clamped(x[group * 16 + i] * factor, -32, 31) + 32;
      std::uint8_t& low = block.low[half * 64 + quarter % 2 * 32 + offset + i];
      low = static_cast<std::uint8_t>(low | (value & 15) << (quarter / 2 * 4));
      std::uint8_t& high = block.high[half * 32 + offset + i];
      high = static_cast<std::uint8_t>(high | (value >> 4) << (quarter * 2));
    }
  }
}

template <class Block, std::size_t kElements>
void encode_blocks(void* destination, std::span<const float> source) noexcept {
  auto* bytes = static_cast<std::byte*>(destination);
  for (std::size_t i = 0; i < source.size(); i += kElements, bytes += sizeof(Block)) {
    Block block;
    encode(source.data() + i, block);
    std::memcpy(bytes, &block, sizeof block);
  }
}

void encode_each(void* destination, std::span<const float> source,
                 std::uint16_t (*encode_one)(float) noexcept) noexcept {
  auto* bytes = static_cast<std::byte*>(destination);
  for (std::size_t i = 0; i < source.size(); ++i) {
    const std::uint16_t value = encode_one(source[i]);
    std::memcpy(bytes + i * sizeof value, &value, sizeof value);
  }
}

}  // namespace

bool can_convert_from_f32(DType to) noexcept {
  switch (to) {
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
    case DType::kQ8_0:
    case DType::kQ4_0:
    case DType::kQ4_1:
    case DType::kQ5_0:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K:
    case DType::kQ6_K:
      return true;
    default:
      return false;
  }
}

void from_f32(void* destination, DType to, std::span<const float> source) noexcept {
  MOEBENCH_CHECK(can_convert_from_f32(to));
  MOEBENCH_CHECK(source.size() % traits(to).block_elements == 0);
  switch (to) {
    case DType::kF32:
      if (!source.empty()) std::memcpy(destination, source.data(), source.size_bytes());
      return;
    case DType::kF16:
      return encode_each(destination, source, f32_to_f16);
    case DType::kBF16:
      return encode_each(destination, source, f32_to_bf16);
    case DType::kQ8_0:
      return encode_blocks<BlockQ8_0, 32>(destination, source);
    case DType::kQ4_0:
      return encode_blocks<BlockQ4_0, 32>(destination, source);
    case DType::kQ4_1:
      return encode_blocks<BlockQ4_1, 32>(destination, source);
    case DType::kQ5_0:
      return encode_blocks<BlockQ5_0, 32>(destination, source);
    case DType::kQ5_1:
      return encode_blocks<BlockQ5_1, 32>(destination, source);
    case DType::kQ4_K:
      return encode_blocks<BlockQ4_K, 256>(destination, source);
    case DType::kQ5_K:
      return encode_blocks<BlockQ5_K, 256>(destination, source);
    case DType::kQ6_K:
      return encode_blocks<BlockQ6_K, 256>(destination, source);
    default:
      return;  // excluded above
  }
}

}  // namespace moebench
