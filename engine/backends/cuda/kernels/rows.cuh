#pragma once

#include "engine/backends/cuda/device_context.h"

namespace moebench::cuda {

/// Whether embed reads rows of this type as stored.
bool can_embed(DType dtype) noexcept;

/// Backend::embed; table (vocab, hidden) as stored, dense.
void embed(DeviceContext& device, const Tensor& out, const std::byte* table, DType dtype,
           const Tensor& token_ids);

/// Backend::gather_rows.
void gather_rows(DeviceContext& device, const Tensor& out, const Tensor& x, const Tensor& row_ids);

}  // namespace moebench::cuda
