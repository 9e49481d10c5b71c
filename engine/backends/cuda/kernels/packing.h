#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/tensor/dtype.h"

namespace moebench::cuda {

// How a matrix's rows lie in device memory: each row on its own, so that rows stream through a
// small pinned buffer. Host code; pure and thread-safe.

/// Whether the kernels take matrices of this type.
bool can_pack(DType dtype) noexcept;
/// Bytes of a packed row of k values, a multiple of 16. Precondition: can_pack, whole blocks.
std::size_t packed_row_bytes(DType dtype, std::int64_t k) noexcept;
/// Packs one stored row (row_bytes(dtype, k) bytes) into `to` (packed_row_bytes).
void pack_row(std::byte* to, const std::byte* from, DType dtype, std::int64_t k) noexcept;

}  // namespace moebench::cuda
