#pragma once

#include <cstdint>

#include "engine/backends/cuda/device_context.h"

namespace moebench::cuda {

/// Rows of F32 as the tensor cores take them: `planes` values of 16 bits whose sum is the value
/// times 2^exponent of its row, so that the row's largest magnitude lies in [2^14, 2^15) (F16) or
/// exponent 0 (BF16, whose range is F32's). Padded with zeros to a multiple of kUnit.
///
/// Planes carry about 11 (F16) or 8 (BF16) bits each: relative to a row's largest value F16 x 1
/// rounds at 2^-12, F16 x 2 at 2^-23, BF16 x 2 at 2^-18, BF16 x 3 not at all.
struct RoundedRows {
  std::uint16_t* values = nullptr;  // (planes, rows, k_padded)
  float* scales = nullptr;          // (rows): what a product has to be multiplied with, 2^-exponent
  std::int64_t rows = 0, k_padded = 0;
  int planes = 0;
  bool brain = false;  ///< BF16, else F16

  __host__ __device__ std::int64_t plane_stride() const { return rows * k_padded; }
};

/// Bytes that rounded_rows_at needs, a multiple of 256.
std::size_t rounded_rows_bytes(std::int64_t rows, std::int64_t k, int planes);
/// Lays a RoundedRows out in `memory`.
RoundedRows rounded_rows_at(std::byte* memory, std::int64_t rows, std::int64_t k, int planes,
                            bool brain);

/// Fills `to` from x (tokens, k) or (tokens, heads, k); row t * heads + h. A row depends on itself
/// alone.
void round_rows(DeviceContext& device, const RoundedRows& to, const Tensor& x);

}  // namespace moebench::cuda
