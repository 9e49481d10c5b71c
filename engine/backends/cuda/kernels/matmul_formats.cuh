#pragma once

#include "engine/backends/cuda/kernels/mma.cuh"
#include "engine/backends/cuda/kernels/packing.h"

namespace moebench::cuda {

// From a packed row (packing.h) to tensor-core operands. A format reads one unit of two rows, g and
// g + 8 of a tile of 16, for lane 4 g + t (`load`: 16-byte loads, nothing else), and turns block b
// of it into the operands of two k16 steps (`fragments`); values 8t + 4i .. 8t + 4i + 3 of the
// block are the lane's share of step i. Block types become half precision: (q - offset) is exact,
// its product with the scale is rounded once.
//
//   kElement        what the operands are
//   kWeightPlanes   operands that add up to a weight
//   kRowPlanes      the same for the rows of x (round_rows.cuh)

/// What a lane reads of two rows.
struct RowPair {
  const std::byte* first;
  const std::byte* second;
};

template <class T>
__device__ __forceinline__ T read(const std::byte* row, std::int64_t offset) {
  return __ldg(reinterpret_cast<const T*>(row + offset));
}

using Fragments = std::uint32_t[2][4];  // of steps 0 and 1

__device__ __forceinline__ std::uint32_t word(const uint4& v, int i) {
  return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}
__device__ __forceinline__ std::uint32_t word(const uint2& v, int i) { return i == 0 ? v.x : v.y; }
/// Value i of a word of two, twice.
__device__ __forceinline__ std::uint32_t twice(std::uint32_t pair, int i) {
  return __byte_perm(pair, 0, i == 0 ? 0x1010 : 0x3232);
}
__device__ __forceinline__ float half_at(std::uint32_t pair, int i) {
  return from_half(static_cast<std::uint16_t>(pair >> (16 * i)));
}

constexpr std::uint32_t kHalf1024 = 0x64006400;  ///< 1024 + an integer below 1024 is an OR away

/// Pair j of a block's nibbles, as integers in either half of the word.
__device__ __forceinline__ std::uint32_t nibble_pair(std::uint32_t nibbles, int j) {
  return nibbles >> (4 * j) & 0x000f000f;
}

template <Element16 kOperand, DType kType>
struct PlainFormat {
  static constexpr DType kDType = kType;
  static constexpr Element16 kElement = kOperand;
  static constexpr int kWeightPlanes = 1, kRowPlanes = 2;
  struct Raw {
    uint4 first[4], second[4];
  };
  static __device__ __forceinline__ Raw load(const RowPair& rows, std::int64_t /*units*/,
                                             std::int64_t unit, int t) {
    Raw raw;
#pragma unroll
    for (int b = 0; b < 4; ++b) {
      raw.first[b] = read<uint4>(rows.first, unit * 256 + b * 64 + t * 16);
      raw.second[b] = read<uint4>(rows.second, unit * 256 + b * 64 + t * 16);
    }
    return raw;
  }
  static __device__ __forceinline__ void fragments(const Raw& raw, int b, int /*plane*/, int /*t*/,
                                                   Fragments& f) {
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int p = 0; p < 2; ++p) {
        f[i][2 * p] = word(raw.first[b], 2 * i + p);
        f[i][2 * p + 1] = word(raw.second[b], 2 * i + p);
      }
  }
};
using F16Format = PlainFormat<Element16::kHalf, DType::kF16>;
using BF16Format = PlainFormat<Element16::kBrain, DType::kBF16>;

/// Three planes of BF16, read where they are used: few weights are F32, none of them hot.
struct F32Format {
  static constexpr DType kDType = DType::kF32;
  static constexpr Element16 kElement = Element16::kBrain;
  static constexpr int kWeightPlanes = 3, kRowPlanes = 3;
  struct Raw {
    RowPair rows;
    std::int64_t plane_bytes, offset;
  };
  static __device__ __forceinline__ Raw load(const RowPair& rows, std::int64_t units,
                                             std::int64_t unit, int t) {
    return {rows, units * 256, unit * 256 + t * 16};
  }
  static __device__ __forceinline__ void fragments(const Raw& raw, int b, int plane, int /*t*/,
                                                   Fragments& f) {
    const std::int64_t at = plane * raw.plane_bytes + raw.offset + b * 64;
    const uint4 first = read<uint4>(raw.rows.first, at), second = read<uint4>(raw.rows.second, at);
#pragma unroll
    for (int i = 0; i < 2; ++i)
#pragma unroll
      for (int p = 0; p < 2; ++p) {
        f[i][2 * p] = word(first, 2 * i + p);
        f[i][2 * p + 1] = word(second, 2 * i + p);
      }
  }
};

/// What block types share: half operands, one plane each way, two rows of the same shape.
template <class Row, DType kType>
struct BlockFormat {
  static constexpr DType kDType = kType;
  static constexpr Element16 kElement = Element16::kHalf;
  static constexpr int kWeightPlanes = 1, kRowPlanes = 1;
  struct Raw {
    Row first, second;
  };
  static __device__ __forceinline__ Raw load(const RowPair& rows, std::int64_t units,
                                             std::int64_t unit, int t) {
    Raw raw;
    raw.first.load(rows.first, units, unit, t);
    raw.second.load(rows.second, units, unit, t);
    return raw;
  }
  static __device__ __forceinline__ void fragments(const Raw& raw, int b, int /*plane*/, int t,
                                                   Fragments& f) {
    std::uint32_t values[4];
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      (row == 0 ? raw.first : raw.second).pairs(b, t, values);
#pragma unroll
      for (int i = 0; i < 2; ++i)
#pragma unroll
        for (int p = 0; p < 2; ++p) f[i][2 * p + row] = values[2 * i + p];
    }
  }
};

struct Q8Row {
  uint4 q[2];
  uint2 scales;
  __device__ __forceinline__ void load(const std::byte* row, std::int64_t units, std::int64_t unit,
                                       int t) {
    q[0] = read<uint4>(row, unit * 128 + t * 16);
    q[1] = read<uint4>(row, unit * 128 + 64 + t * 16);
    scales = read<uint2>(row, units * 128 + unit * 8);
  }
  /// Pairs j = 0 .. 3 of block b: values 2j and 2j + 1 of the lane's eight.
  __device__ __forceinline__ void pairs(int b, int /*t*/, std::uint32_t (&values)[4]) const {
    constexpr std::uint32_t kOffset = 0x64806480;  // 1024 + 128
    const std::uint32_t scale = twice(word(scales, b / 2), b % 2);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const std::uint32_t bytes = word(q[b / 2], b % 2 * 2 + j / 2);
      const std::uint32_t pair = __byte_perm(bytes, kHalf1024, j % 2 == 0 ? 0x5150 : 0x5352);
      values[j] = half_mul(half_sub(pair, kOffset), scale);
    }
  }
};

struct F8Row {
  uint4 q[2];
  float scale;
  __device__ __forceinline__ void load(const std::byte* row, std::int64_t units, std::int64_t unit,
                                       int t) {
    q[0] = read<uint4>(row, unit * 128 + t * 16);
    q[1] = read<uint4>(row, unit * 128 + 64 + t * 16);
    scale = read<float>(row, units * 128 + unit * 4);
  }
  __device__ __forceinline__ void pairs(int b, int /*t*/, std::uint32_t (&values)[4]) const {
    // E4M3's bits, moved into F16's, are the value times 2^-8 (subnormals too).
    const std::uint32_t factor = both(to_half(scale * 256.0f));
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const std::uint32_t bytes = word(q[b / 2], b % 2 * 2 + j / 2);
      const std::uint32_t high = __byte_perm(bytes, 0, j % 2 == 0 ? 0x1404 : 0x3424);
      values[j] = half_mul((high & 0x80008000) | (high & 0x7fff7fff) >> 1, factor);
    }
  }
};

struct Q4Row {
  uint4 q;
  uint2 scales;
  __device__ __forceinline__ void load(const std::byte* row, std::int64_t units, std::int64_t unit,
                                       int t) {
    q = read<uint4>(row, unit * 64 + t * 16);
    scales = read<uint2>(row, units * 64 + unit * 8);
  }
  __device__ __forceinline__ void pairs(int b, int /*t*/, std::uint32_t (&values)[4]) const {
    constexpr std::uint32_t kOffset = 0x64086408;  // 1024 + 8
    const std::uint32_t scale = twice(word(scales, b / 2), b % 2);
#pragma unroll
    for (int j = 0; j < 4; ++j)
      values[j] = half_mul(half_sub(nibble_pair(word(q, b), j) | kHalf1024, kOffset), scale);
  }
};

struct MxRow {
  uint4 q;
  std::uint32_t exponents;
  __device__ __forceinline__ void load(const std::byte* row, std::int64_t units, std::int64_t unit,
                                       int t) {
    q = read<uint4>(row, unit * 64 + t * 16);
    exponents = read<std::uint32_t>(row, units * 64 + unit * 4);
  }
  __device__ __forceinline__ void pairs(int b, int /*t*/, std::uint32_t (&values)[4]) const {
    // E2M1's bits, moved into F16's, are the value times 2^-14. Exact for scales 2^-23 .. 2^1.
    const std::uint32_t exponent = min((exponents >> (8 * b) & 255) + 14, 254u);
    const std::uint32_t factor = both(to_half(__uint_as_float(exponent << 23)));  // 2^(e-127+14)
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const std::uint32_t pair = nibble_pair(word(q, b), j);
      values[j] = half_mul((pair & 0x00070007) << 9 | (pair & 0x00080008) << 12, factor);
    }
  }
};

struct Q4KRow {
  uint4 q;
  uint2 scales;             // scales, minima
  std::uint32_t delta_min;  // d, dmin
  __device__ __forceinline__ void load(const std::byte* row, std::int64_t units, std::int64_t unit,
                                       int t) {
    q = read<uint4>(row, unit * 64 + t * 16);
    scales = read<uint2>(row, units * 64 + unit * 8);
    delta_min = read<std::uint32_t>(row, units * 72 + unit / 2 * 4);
  }
  __device__ __forceinline__ void pairs(int b, int /*t*/, std::uint32_t (&values)[4]) const {
    const auto factor = static_cast<float>(scales.x >> (8 * b) & 255);
    const auto min_factor = static_cast<float>(scales.y >> (8 * b) & 255);
    const std::uint32_t scale = both(to_half(half_at(delta_min, 0) * factor));
    const std::uint32_t minus_min = both(to_half(-(half_at(delta_min, 1) * min_factor)));
#pragma unroll
    for (int j = 0; j < 4; ++j)
      values[j] =
          half_fma(half_sub(nibble_pair(word(q, b), j) | kHalf1024, kHalf1024), scale, minus_min);
  }
};

struct Q6KRow {
  uint4 low;
  uint2 high, scales;
  std::uint16_t delta;
  __device__ __forceinline__ void load(const std::byte* row, std::int64_t units, std::int64_t unit,
                                       int t) {
    low = read<uint4>(row, unit * 64 + t * 16);
    high = read<uint2>(row, units * 64 + unit * 32 + t * 8);
    scales = read<uint2>(row, units * 96 + unit * 8);
    delta = read<std::uint16_t>(row, units * 104 + unit / 2 * 2);
  }
  __device__ __forceinline__ void pairs(int b, int t, std::uint32_t (&values)[4]) const {
    constexpr std::uint32_t kOffset = 0x64206420;  // 1024 + 32
    const auto factor =
        static_cast<std::int8_t>(word(scales, b / 2) >> (16 * (b % 2) + 8 * (t / 2)));
    const std::uint32_t scale = both(to_half(from_half(delta) * static_cast<float>(factor)));
    // The two high bits of values 2j in the lower half of `bits`, of 2j + 1 in the upper one.
    const std::uint32_t bits = __byte_perm(word(high, b / 2), 0, b % 2 == 0 ? 0x4140 : 0x4342);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const std::uint32_t top = (bits >> (2 * j) & 0x00030003) << 4;
      values[j] =
          half_mul(half_sub(nibble_pair(word(low, b), j) | top | kHalf1024, kOffset), scale);
    }
  }
};

using Q8_0Format = BlockFormat<Q8Row, DType::kQ8_0>;
using F8Format = BlockFormat<F8Row, DType::kF8E4M3>;
using Q4_0Format = BlockFormat<Q4Row, DType::kQ4_0>;
using MXFP4Format = BlockFormat<MxRow, DType::kMXFP4>;
using Q4_KFormat = BlockFormat<Q4KRow, DType::kQ4_K>;
using Q6_KFormat = BlockFormat<Q6KRow, DType::kQ6_K>;

}  // namespace moebench::cuda
