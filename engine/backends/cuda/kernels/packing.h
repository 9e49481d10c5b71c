#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/tensor/dtype.h"
#include "engine/tensor/tensor.h"

namespace moebench::cuda {

// How a matrix's rows lie in device memory: each row on its own, so that rows stream through a
// small pinned buffer. Host code; pure and thread-safe.
//
// A row is cut into units of kUnit = 128 values (the last one padded with zeros), a unit into four
// blocks of 32. Lane t of the four lanes that share a row of a tensor-core tile multiplies values
// 8t .. 8t + 7 of each block, and finds them in its own 16-byte pieces:
//   kF32        three planes of BF16, one after another, whose sum is the value (exact to 24 bits)
//   kF16, kBF16 the values in order
//   kQ8_0       units of 128 B, [2 pairs of blocks][4 lanes][2 blocks][8] q + 128
//               | units of 4 f16 scales, one a block
//   kF8E4M3     units of 128 B as kQ8_0 (the bytes as stored) | units of one F32 scale
//   kQ4_0       units of 64 B, [4 lanes][4 blocks] words of 8 nibbles: nibble j holds value 2j,
//               nibble j + 4 value 2j + 1 | units of 4 f16 scales
//   kMXFP4      units of 64 B as kQ4_0 | units of 4 exponents (bytes)
//   kQ4_K       units of 64 B as kQ4_0 | units of 4 scales and 4 minima (bytes)
//               | f16 d, dmin, one pair for two units
//   kQ6_K       units of 64 B as kQ4_0 (low bits) | units of [4 lanes][2 words], word i: the high
//               bits of blocks 2i (lower half) and 2i + 1, 2 bits each, in the order of the nibbles
//               | units of 8 int8 scales, one for 16 values | f16 d, one for two units

inline constexpr std::int64_t kUnit = 128;

/// Whether the kernels take matrices of this type.
bool can_pack(DType dtype) noexcept;
/// What a stored type becomes: itself where the list above has it, else kF16 (Q4_1, Q5_0, Q5_1,
/// Q2_K, Q3_K, Q5_K, IQ4_XS). Matrices that one kernel reads together (gate and up, the experts of
/// a layer) need one type: kF16 and kBF16 are open to every stored type. Precondition: can_pack.
DType packed_dtype(DType stored) noexcept;
/// Units of a row of k values.
constexpr std::int64_t packed_units(std::int64_t k) noexcept { return (k + kUnit - 1) / kUnit; }
/// Bytes of a packed row of k values, a multiple of 16. `packed` is a result of packed_dtype.
std::size_t packed_row_bytes(DType packed, std::int64_t k) noexcept;
/// Packs one stored row (row_bytes(stored, k) bytes) into `to` (packed_row_bytes(packed, k)).
/// Precondition: packed is packed_dtype(stored), kF16 or kBF16; whole blocks. FP8 gets scales of 1.
void pack_row(std::byte* to, DType packed, const std::byte* from, DType stored,
              std::int64_t k) noexcept;
/// Whether pack_view_row takes FP8 with these scales (`tile_rows` rows of them; data null: any
/// usual ones) as FP8: tiles as wide as whole units, values that half precision holds.
bool can_pack_f8(const TileScales& scales, std::int64_t tile_rows) noexcept;
/// Row `row` of a matrix, whatever its type; FP8 with its tiles' scales.
void pack_view_row(std::byte* to, DType packed, const TensorView& matrix,
                   std::int64_t row) noexcept;
/// A row of FP8 whose columns share scales (ceil(k / tile_columns)), tile_columns % kUnit == 0
/// (DeepSeek's weight_scale_inv has 128). A scale must lie in 2^-22 .. 2^7: the kernels hold 256
/// times it in half precision.
void pack_f8_row(std::byte* to, const std::byte* from, const float* scales,
                 std::int64_t tile_columns, std::int64_t k) noexcept;

}  // namespace moebench::cuda
