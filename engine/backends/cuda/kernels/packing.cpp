#include "engine/backends/cuda/kernels/packing.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "engine/base/check.h"
#include "engine/tensor/block_types.h"
#include "engine/tensor/convert.h"

namespace moebench::cuda {
namespace {

constexpr std::int64_t kBlock = 32;
constexpr std::int64_t kBlocks = kUnit / kBlock;
constexpr std::int64_t kSuperBlock = 256;
/// Of FP8's scales: see pack_f8_row.
constexpr float kLeastScale = 0x1p-22f, kMostScale = 0x1p7f;

std::int64_t superblocks(std::int64_t k) noexcept { return (k + kSuperBlock - 1) / kSuperBlock; }

/// Where a section of a packed row begins.
struct Writer {
  std::byte* row;
  template <class T>
  void put(std::int64_t offset, T value) const noexcept {
    std::memcpy(row + offset, &value, sizeof value);
  }
};

/// Stored block i of a row (copied: blocks in a file have no alignment).
template <class Block>
Block block_at(const std::byte* from, std::int64_t i) noexcept {
  Block block;
  std::memcpy(&block, from + i * static_cast<std::int64_t>(sizeof block), sizeof block);
  return block;
}

/// Offset of value j (0 .. 31) of block b (counted from the row's start) among a row's bytes.
std::int64_t byte_offset(std::int64_t b, int j) noexcept {
  const std::int64_t in_unit = b % kBlocks;
  return b / kBlocks * kUnit + in_unit / 2 * 64 + j / 8 * 16 + in_unit % 2 * 8 + j % 8;
}

/// The 32 nibbles of block b.
void put_nibbles(const Writer& row, std::int64_t b, const std::uint8_t (&values)[32]) noexcept {
  for (int t = 0; t < 4; ++t) {
    std::uint32_t word = 0;
    for (int j = 0; j < 4; ++j) {
      word |= static_cast<std::uint32_t>(values[8 * t + 2 * j]) << (4 * j);
      word |= static_cast<std::uint32_t>(values[8 * t + 2 * j + 1]) << (4 * (j + 4));
    }
    row.put(b / kBlocks * 64 + t * 16 + b % kBlocks * 4, word);
  }
}

void split_nibbles(const std::uint8_t (&q)[16], std::uint8_t (&values)[32]) noexcept {
  for (int i = 0; i < 16; ++i) {
    values[i] = q[i] & 15;
    values[i + 16] = q[i] >> 4;
  }
}

void pack_q8_0(const Writer& row, const std::byte* from, std::int64_t k) noexcept {
  const std::int64_t scales = packed_units(k) * kUnit;
  for (std::int64_t b = 0; b < k / kBlock; ++b) {
    const auto block = block_at<BlockQ8_0>(from, b);
    for (int j = 0; j < 32; ++j)
      row.put(byte_offset(b, j), static_cast<std::uint8_t>(block.q[j] + 128));
    row.put(scales + 2 * b, block.d);
  }
}

void pack_q4_0(const Writer& row, const std::byte* from, std::int64_t k) noexcept {
  const std::int64_t scales = packed_units(k) * (kUnit / 2);
  for (std::int64_t b = 0; b < k / kBlock; ++b) {
    const auto block = block_at<BlockQ4_0>(from, b);
    std::uint8_t values[32];
    split_nibbles(block.q, values);
    put_nibbles(row, b, values);
    row.put(scales + 2 * b, block.d);
  }
}

void pack_mxfp4(const Writer& row, const std::byte* from, std::int64_t k) noexcept {
  const std::int64_t exponents = packed_units(k) * (kUnit / 2);
  for (std::int64_t b = 0; b < k / kBlock; ++b) {
    const auto block = block_at<BlockMXFP4>(from, b);
    std::uint8_t values[32];
    split_nibbles(block.q, values);
    put_nibbles(row, b, values);
    row.put(exponents + b, block.exponent);
  }
}

void pack_q4_k(const Writer& row, const std::byte* from, std::int64_t k) noexcept {
  const std::int64_t scales = packed_units(k) * (kUnit / 2), deltas = scales + packed_units(k) * 8;
  for (std::int64_t s = 0; s < k / kSuperBlock; ++s) {
    const auto block = block_at<BlockQ4_K>(from, s);
    for (int group = 0; group < 8; ++group) {
      const std::int64_t b = 8 * s + group;
      std::uint8_t values[32];
      for (int i = 0; i < 32; ++i) values[i] = block.q[group / 2 * 32 + i] >> (group % 2 * 4) & 15;
      put_nibbles(row, b, values);
      // Six bits each; those of the last four groups are split over three bytes.
      const std::uint8_t* const p = block.scales;
      const int j = group;
      const int scale = j < 4 ? p[j] & 63 : (p[j + 4] & 15) | (p[j - 4] >> 6) << 4;
      const int min = j < 4 ? p[j + 4] & 63 : (p[j + 4] >> 4) | (p[j] >> 6) << 4;
      const std::int64_t unit = scales + b / kBlocks * 8 + b % kBlocks;
      row.put(unit, static_cast<std::uint8_t>(scale));
      row.put(unit + 4, static_cast<std::uint8_t>(min));
    }
    row.put(deltas + 4 * s, block.d);
    row.put(deltas + 4 * s + 2, block.dmin);
  }
}

void pack_q6_k(const Writer& row, const std::byte* from, std::int64_t k) noexcept {
  const std::int64_t units = packed_units(k), highs = units * 64;
  const std::int64_t scales = highs + units * 32, deltas = scales + units * 8;
  for (std::int64_t s = 0; s < k / kSuperBlock; ++s) {
    const auto block = block_at<BlockQ6_K>(from, s);
    for (int g = 0; g < 8; ++g) {  // 32 values: half g / 4, quarter g % 4
      const std::int64_t b = 8 * s + g;
      std::uint8_t low[32], high[32];
      for (int i = 0; i < 32; ++i) {
        const int half = g / 4, quarter = g % 4;
        low[i] = block.low[half * 64 + quarter % 2 * 32 + i] >> (quarter / 2 * 4) & 15;
        high[i] = block.high[half * 32 + i] >> (quarter * 2) & 3;
      }
      put_nibbles(row, b, low);
      for (int t = 0; t < 4; ++t) {
        std::uint16_t bits = 0;
        for (int j = 0; j < 4; ++j) {
          bits = static_cast<std::uint16_t>(bits | high[8 * t + 2 * j] << (2 * j));
          bits = static_cast<std::uint16_t>(bits | high[8 * t + 2 * j + 1] << (2 * (j + 4)));
        }
        row.put(highs + b / kBlocks * 32 + t * 8 + b % kBlocks * 2, bits);
      }
      row.put(scales + 2 * b, block.scales[2 * g]);
      row.put(scales + 2 * b + 1, block.scales[2 * g + 1]);
    }
    row.put(deltas + 2 * s, block.d);
  }
}

/// Values that meet the tensor cores as they are: one F16 plane, or BF16 planes each of which holds
/// what the ones before it left over.
void pack_values(const Writer& row, DType packed, const std::byte* from, DType stored,
                 std::int64_t k) noexcept {
  thread_local std::vector<float> values;
  values.resize(static_cast<std::size_t>(k));
  to_f32(values.data(), from, stored, values.size());
  const std::int64_t plane = packed_units(k) * kUnit * 2;
  for (std::int64_t i = 0; i < k; ++i) {
    float rest = values[static_cast<std::size_t>(i)];
    if (packed == DType::kF16) {
      row.put(2 * i, f32_to_f16(rest));
      continue;
    }
    for (int p = 0; p < (packed == DType::kF32 ? 3 : 1); ++p) {
      const std::uint16_t part = f32_to_bf16(rest);
      row.put(p * plane + 2 * i, part);
      rest -= bf16_to_f32(part);
    }
  }
}

}  // namespace

bool can_pack(DType dtype) noexcept { return can_convert_to_f32(dtype); }

DType packed_dtype(DType stored) noexcept {
  switch (stored) {
    case DType::kF32:
    case DType::kBF16:
    case DType::kF8E4M3:
    case DType::kQ8_0:
    case DType::kQ4_0:
    case DType::kQ4_K:
    case DType::kQ6_K:
    case DType::kMXFP4:
      return stored;
    default:
      return DType::kF16;
  }
}

std::size_t packed_row_bytes(DType packed, std::int64_t k) noexcept {
  const std::int64_t units = packed_units(k), supers = superblocks(k);
  std::int64_t bytes = 0;
  switch (packed) {
    case DType::kF32:
      bytes = units * kUnit * 6;
      break;
    case DType::kF16:
    case DType::kBF16:
      bytes = units * kUnit * 2;
      break;
    case DType::kF8E4M3:
      bytes = units * (kUnit + 4);
      break;
    case DType::kQ8_0:
      bytes = units * (kUnit + 8);
      break;
    case DType::kQ4_0:
      bytes = units * (kUnit / 2 + 8);
      break;
    case DType::kMXFP4:
      bytes = units * (kUnit / 2 + 4);
      break;
    case DType::kQ4_K:
      bytes = units * (kUnit / 2 + 8) + supers * 4;
      break;
    case DType::kQ6_K:
      bytes = units * (kUnit / 2 + 40) + supers * 2;
      break;
    default:
      MOEBENCH_CHECK(false);
  }
  return static_cast<std::size_t>((bytes + 15) / 16 * 16);
}

void pack_f8_row(std::byte* to, const std::byte* from, const float* scales,
                 std::int64_t tile_columns, std::int64_t k) noexcept {
  MOEBENCH_CHECK(tile_columns > 0 && tile_columns % kUnit == 0);
  std::memset(to, 0, packed_row_bytes(DType::kF8E4M3, k));
  const Writer row{to};
  const std::int64_t units = packed_units(k);
  for (std::int64_t u = 0; u < units; ++u) {
    float scale = scales[u * kUnit / tile_columns];
    for (std::int64_t i = u * kUnit; i < std::min(k, (u + 1) * kUnit); ++i) {
      const auto value = static_cast<std::uint8_t>(from[i]);
      row.put(byte_offset(i / kBlock, static_cast<int>(i % kBlock)), value);
      // The kernels' conversion knows no NaN: the unit's scale carries it.
      if ((value & 0x7f) == 0x7f) scale = std::numeric_limits<float>::quiet_NaN();
    }
    row.put(units * kUnit + 4 * u, scale);
  }
}

void pack_row(std::byte* to, DType packed, const std::byte* from, DType stored,
              std::int64_t k) noexcept {
  MOEBENCH_CHECK(packed == packed_dtype(stored) || packed == DType::kF16 || packed == DType::kBF16);
  if (packed == DType::kF8E4M3) {
    const std::vector<float> ones(static_cast<std::size_t>(packed_units(k)), 1.0f);
    return pack_f8_row(to, from, ones.data(), kUnit, k);
  }
  std::memset(to, 0, packed_row_bytes(packed, k));
  const Writer row{to};
  switch (packed) {
    case DType::kQ8_0:
      return pack_q8_0(row, from, k);
    case DType::kQ4_0:
      return pack_q4_0(row, from, k);
    case DType::kMXFP4:
      return pack_mxfp4(row, from, k);
    case DType::kQ4_K:
      return pack_q4_k(row, from, k);
    case DType::kQ6_K:
      return pack_q6_k(row, from, k);
    default:
      return pack_values(row, packed, from, stored, k);
  }
}

bool can_pack_f8(const TileScales& scales, std::int64_t tile_rows) noexcept {
  if (scales.columns % kUnit != 0) return false;
  if (scales.data == nullptr) return true;
  for (std::int64_t i = 0; i < tile_rows * scales.per_row; ++i) {
    const float scale =
        std::fabs(scales.at(i / scales.per_row * scales.rows, i % scales.per_row * scales.columns));
    if (scale != 0.0f && !(scale >= kLeastScale && scale <= kMostScale)) return false;
  }
  return true;
}

void pack_view_row(std::byte* to, DType packed, const TensorView& matrix,
                   std::int64_t row) noexcept {
  const std::int64_t k = matrix.shape.back();
  const std::byte* const from =
      matrix.data +
      static_cast<std::size_t>(row) * row_bytes(matrix.dtype, static_cast<std::size_t>(k));
  if (!matrix.tiles) return pack_row(to, packed, from, matrix.dtype, k);
  const TileScales& tiles = *matrix.tiles;
  thread_local std::vector<float> scratch;
  if (packed == DType::kF8E4M3) {
    scratch.clear();
    for (std::int64_t i = 0; i < k; i += kUnit) scratch.push_back(tiles.at(row, i));
    return pack_f8_row(to, from, scratch.data(), kUnit, k);
  }
  scratch.resize(static_cast<std::size_t>(k));
  to_f32(scratch.data(), from, matrix.dtype, scratch.size());
  for (std::int64_t i = 0; i < k; ++i) scratch[static_cast<std::size_t>(i)] *= tiles.at(row, i);
  pack_row(to, packed, reinterpret_cast<const std::byte*>(scratch.data()), DType::kF32, k);
}

}  // namespace moebench::cuda
