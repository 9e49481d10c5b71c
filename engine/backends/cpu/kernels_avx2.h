#pragma once

#include "engine/backends/cpu/kernels.h"

// The pieces of the AVX2 level, one file a group of ops; every kernels_avx2_*.cpp is compiled with
// -mavx2 -mfma -mf16c and reached only after CPUID said so.

namespace moebench::cpu::avx2 {

TileOp tile_f32() noexcept;
TileOp tile_f16() noexcept;
TileOp tile_bf16() noexcept;
TileOp tile_q8_0() noexcept;
TileOp tile_q5_0() noexcept;
TileOp tile_q4_0() noexcept;
TileOp tile_q4_1() noexcept;
TileOp tile_q4_k() noexcept;
TileOp tile_q6_k() noexcept;

void quantize_32(const float* x, std::int64_t k, std::int8_t* q, float* scales,
                 std::int16_t* sums) noexcept;
void quantize_256(const float* x, std::int64_t k, std::int8_t* q, float* scales,
                  std::int16_t* sums) noexcept;
void rms_norm(float* out, const float* x, const float* weight, std::int64_t n,
              float epsilon) noexcept;
void silu_product(float* out, const float* gate, const float* up, std::int64_t n) noexcept;
void add_weighted_rows(float* out, std::int64_t out_stride, const std::int32_t* rows,
                       const float* weights, const float* tile, std::int64_t tile_stride, int count,
                       std::int64_t n) noexcept;
void to_half(std::uint16_t* out, const float* x, std::int64_t n) noexcept;
void attention(const AttentionTask& task) noexcept;

}  // namespace moebench::cpu::avx2
