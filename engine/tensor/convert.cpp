#include "engine/tensor/convert.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/base/check.h"
#include "engine/tensor/block_types.h"

namespace moebench {
namespace {

// IQ4_XS's sixteen levels and MXFP4's E2M1 values, as the formats define them.
constexpr std::array<float, 16> kIq4Levels = {-127, -104, -83, -65, -49, -35, -22, -10,
                                              1,    13,   25,  38,  53,  69,  89,  113};
constexpr std::array<float, 16> kE2M1 = {0.0f, 0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                                         0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};

void decode(const BlockQ8_0& block, float* out) noexcept {
  const float d = f16_to_f32(block.d);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(block.q[i]);
}

void decode(const BlockQ4_0& block, float* out) noexcept {
  const float d = f16_to_f32(block.d);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>((block.q[i] & 15) - 8);
    out[i + 16] = d * static_cast<float>((block.q[i] >> 4) - 8);
  }
}

void decode(const BlockQ4_1& block, float* out) noexcept {
  const float d = f16_to_f32(block.d), m = f16_to_f32(block.m);
  for (int i = 0; i < 16; ++i) {
    out[i] = d * static_cast<float>(block.q[i] & 15) + m;
    out[i + 16] = d * static_cast<float>(block.q[i] >> 4) + m;
  }
}

/// The 32 fifth bits of Q5_0 and Q5_1, element i in bit i.
std::uint32_t high_bits(const std::uint8_t (&high)[4]) noexcept {
  std::uint32_t bits;
  std::memcpy(&bits, high, sizeof bits);
  return bits;
}

void decode(const BlockQ5_0& block, float* out) noexcept {
  const float d = f16_to_f32(block.d);
  const std::uint32_t high = high_bits(block.high);
  for (int i = 0; i < 16; ++i) {
    const int low = (block.q[i] & 15) | static_cast<int>((high >> i & 1) << 4);
    const int up = (block.q[i] >> 4) | static_cast<int>((high >> (i + 16) & 1) << 4);
    out[i] = d * static_cast<float>(low - 16);
    out[i + 16] = d * static_cast<float>(up - 16);
  }
}

void decode(const BlockQ5_1& block, float* out) noexcept {
  const float d = f16_to_f32(block.d), m = f16_to_f32(block.m);
  const std::uint32_t high = high_bits(block.high);
  for (int i = 0; i < 16; ++i) {
    const int low = (block.q[i] & 15) | static_cast<int>((high >> i & 1) << 4);
    const int up = (block.q[i] >> 4) | static_cast<int>((high >> (i + 16) & 1) << 4);
    out[i] = d * static_cast<float>(low) + m;
    out[i + 16] = d * static_cast<float>(up) + m;
  }
}

void decode(const BlockQ2_K& block, float* out) noexcept {
  const float d = f16_to_f32(block.d), dmin = f16_to_f32(block.dmin);
  for (int group = 0; group < 16; ++group) {
    // Groups run through each half's four bit pairs, two groups (32 bytes) a pair.
    const std::uint8_t* q = block.q + group / 8 * 32 + group % 2 * 16;
    const int shift = group % 8 / 2 * 2;
    const float scale = d * static_cast<float>(block.scales[group] & 15);
    const float min = dmin * static_cast<float>(block.scales[group] >> 4);
    for (int i = 0; i < 16; ++i) *out++ = scale * static_cast<float>(q[i] >> shift & 3) - min;
  }
}

void decode(const BlockQ3_K& block, float* out) noexcept {
  const float d = f16_to_f32(block.d);
  for (int group = 0; group < 16; ++group) {
    const int low = group < 8 ? block.scales[group] & 15 : block.scales[group - 8] >> 4;
    const int high = block.scales[8 + group % 4] >> (group / 4 * 2) & 3;
    const float scale = d * static_cast<float>((low | high << 4) - 32);
    const std::uint8_t* q = block.q + group / 8 * 32 + group % 2 * 16;
    const std::uint8_t* h = block.high + group % 2 * 16;
    const int shift = group % 8 / 2 * 2;
    for (int i = 0; i < 16; ++i) {
      const int value = (q[i] >> shift & 3) - ((h[i] >> (group / 2) & 1) != 0 ? 0 : 4);
      *out++ = scale * static_cast<float>(value);
    }
  }
}

/// Group j's 6-bit scale and min of Q4_K and Q5_K.
void unpack_scale_min(const std::uint8_t (&packed)[12], int j, int& scale, int& min) noexcept {
  if (j < 4) {
    scale = packed[j] & 63;
    min = packed[j + 4] & 63;
  } else {
    scale = (packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4;
    min = (packed[j + 4] >> 4) | (packed[j] >> 6) << 4;
  }
}

template <class Block>
void decode_k(const Block& block, float* out) noexcept {
  const float d = f16_to_f32(block.d), dmin = f16_to_f32(block.dmin);
  for (int group = 0; group < 8; ++group) {
    int scale_bits = 0, min_bits = 0;
    unpack_scale_min(block.scales, group, scale_bits, min_bits);
    const float scale = d * static_cast<float>(scale_bits);
    const float min = dmin * static_cast<float>(min_bits);
    const std::uint8_t* q = block.q + group / 2 * 32;
    const int shift = group % 2 * 4;
    for (int i = 0; i < 32; ++i) {
      int value = q[i] >> shift & 15;
      if constexpr (requires { block.high; }) value |= (block.high[i] >> group & 1) << 4;
      *out++ = scale * static_cast<float>(value) - min;
    }
  }
}
void decode(const BlockQ4_K& block, float* out) noexcept { decode_k(block, out); }
void decode(const BlockQ5_K& block, float* out) noexcept { decode_k(block, out); }

void decode(const BlockQ6_K& block, float* out) noexcept {
  const float d = f16_to_f32(block.d);
  for (int group = 0; group < 16; ++group) {
    const int half = group / 8, quarter = group % 8 / 2, offset = group % 2 * 16;
    const std::uint8_t* low = block.low + half * 64 + quarter % 2 * 32 + offset;
    const std::uint8_t* high = block.high + half * 32 + offset;
    const float scale = d * static_cast<float>(block.scales[group]);
    for (int i = 0; i < 16; ++i) {
      const int value = (low[i] >> (quarter / 2 * 4) & 15) | (high[i] >> (quarter * 2) & 3) << 4;
      *out++ = scale * static_cast<float>(value - 32);
    }
  }
}

void decode(const BlockIQ4_XS& block, float* out) noexcept {
  const float d = f16_to_f32(block.d);
  for (int group = 0; group < 8; ++group) {
    const int low = block.scales_low[group / 2] >> (group % 2 * 4) & 15;
    const int high = block.scales_high >> (group * 2) & 3;
    const float scale = d * static_cast<float>((low | high << 4) - 32);
    const std::uint8_t* q = block.q + group * 16;
    for (int i = 0; i < 16; ++i) {
      out[i] = scale * kIq4Levels[q[i] & 15];
      out[i + 16] = scale * kIq4Levels[q[i] >> 4];
    }
    out += 32;
  }
}

void decode(const BlockMXFP4& block, float* out) noexcept {
  const float scale = std::ldexp(1.0f, block.exponent - 127);
  for (int i = 0; i < 16; ++i) {
    out[i] = scale * kE2M1[block.q[i] & 15];
    out[i + 16] = scale * kE2M1[block.q[i] >> 4];
  }
}

template <class Block, int kElements>
void decode_blocks(float* out, const void* source, std::size_t elements) noexcept {
  const auto* bytes = static_cast<const std::byte*>(source);
  for (std::size_t i = 0; i < elements; i += kElements, bytes += sizeof(Block)) {
    Block block;  // copied: blocks in a file have no alignment
    std::memcpy(&block, bytes, sizeof block);
    decode(block, out + i);
  }
}

template <class Stored, class Decode>
void decode_each(float* out, const void* source, std::size_t elements, Decode decode_one) noexcept {
  const auto* bytes = static_cast<const std::byte*>(source);
  for (std::size_t i = 0; i < elements; ++i) {
    Stored stored;
    std::memcpy(&stored, bytes + i * sizeof stored, sizeof stored);
    out[i] = decode_one(stored);
  }
}

}  // namespace

float f16_to_f32(std::uint16_t half) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = half >> 10 & 31u;
  const std::uint32_t fraction = half & 1023u;
  if (exponent == 0) {  // zero and subnormals: fraction * 2^-24, exact in F32
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
  }
  const std::uint32_t wide = exponent == 31 ? 255u : exponent + 112u;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

std::uint16_t f32_to_f16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {  // NaN: keep it one, quiet
    return static_cast<std::uint16_t>(sign | 0x7e00u | (magnitude >> 13 & 1023u));
  }
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // >= 65520
  if (magnitude < 0x38800000u) {  // below 2^-14: a multiple of 2^-24
    // Adding 0.5 puts the value's 2^-24 bit into the sum's last place; the FPU rounds to even.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    const std::uint32_t rounded = std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u;
    return static_cast<std::uint16_t>(sign | rounded);
  }
  const std::uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
  return static_cast<std::uint16_t>(sign | ((rounded - (112u << 23)) >> 13));
}

float bf16_to_f32(std::uint16_t value) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

std::uint16_t f32_to_bf16(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>(bits >> 16 | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

float f8e4m3_to_f32(std::uint8_t value) noexcept {
  const float sign = (value & 0x80) != 0 ? -1.0f : 1.0f;
  const int exponent = value >> 3 & 15, fraction = value & 7;
  if (exponent == 15 && fraction == 7) return std::numeric_limits<float>::quiet_NaN();
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -9);
  return sign * std::ldexp(static_cast<float>(8 + fraction), exponent - 10);
}

bool can_convert_to_f32(DType from) noexcept { return from != DType::kI32 && from != DType::kI64; }

void to_f32(float* destination, const void* source, DType from, std::size_t elements) noexcept {
  MOEBENCH_CHECK(can_convert_to_f32(from));
  MOEBENCH_CHECK(elements % traits(from).block_elements == 0);
  switch (from) {
    case DType::kF32:
      if (elements > 0) std::memcpy(destination, source, elements * sizeof(float));
      return;
    case DType::kF16:
      return decode_each<std::uint16_t>(destination, source, elements, f16_to_f32);
    case DType::kBF16:
      return decode_each<std::uint16_t>(destination, source, elements, bf16_to_f32);
    case DType::kF8E4M3:
      return decode_each<std::uint8_t>(destination, source, elements, f8e4m3_to_f32);
    case DType::kQ8_0:
      return decode_blocks<BlockQ8_0, 32>(destination, source, elements);
    case DType::kQ4_0:
      return decode_blocks<BlockQ4_0, 32>(destination, source, elements);
    case DType::kQ4_1:
      return decode_blocks<BlockQ4_1, 32>(destination, source, elements);
    case DType::kQ5_0:
      return decode_blocks<BlockQ5_0, 32>(destination, source, elements);
    case DType::kQ5_1:
      return decode_blocks<BlockQ5_1, 32>(destination, source, elements);
    case DType::kQ2_K:
      return decode_blocks<BlockQ2_K, 256>(destination, source, elements);
    case DType::kQ3_K:
      return decode_blocks<BlockQ3_K, 256>(destination, source, elements);
    case DType::kQ4_K:
      return decode_blocks<BlockQ4_K, 256>(destination, source, elements);
    case DType::kQ5_K:
      return decode_blocks<BlockQ5_K, 256>(destination, source, elements);
    case DType::kQ6_K:
      return decode_blocks<BlockQ6_K, 256>(destination, source, elements);
    case DType::kIQ4_XS:
      return decode_blocks<BlockIQ4_XS, 256>(destination, source, elements);
    case DType::kMXFP4:
      return decode_blocks<BlockMXFP4, 32>(destination, source, elements);
    case DType::kI32:
    case DType::kI64:
      return;  // excluded above
  }
}

}  // namespace moebench
