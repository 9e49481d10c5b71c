#pragma once

#include "engine/backends/cuda/kernels/packing.h"
#include "engine/backends/cuda/kernels/product.cuh"
#include "engine/backends/cuda/launch.h"
#include "engine/base/check.h"

namespace moebench::cuda {

// The two products of gated experts, silu(x gate^T) * (x up^T) and its product with down, for
// gated_mlp and experts alike. An entry is a (row of x, expert) pair.

struct ExpertWorkspace {
  std::size_t x = 0, inner = 0, inner_rounded = 0, bytes = 0;  // offsets, and what it takes in all
};

inline ExpertWorkspace expert_workspace(const DeviceExperts& e, std::int64_t tokens,
                                        std::int64_t entries) {
  ExpertWorkspace w;
  w.inner = rounded_rows_bytes(tokens, e.hidden, row_planes(e.gate.dtype));
  w.inner_rounded = w.inner + static_cast<std::size_t>(ceil_div(entries * e.width * 4, 256) * 256);
  w.bytes = w.inner_rounded + rounded_rows_bytes(entries, e.width, row_planes(e.down.dtype));
  return w;
}

/// From rounded rows of x (tokens, hidden) to inner (entries, width) F32.
inline Product expert_input_product(const DeviceExperts& e, const ExpertWorkspace& w,
                                    std::byte* memory, std::int64_t tokens) {
  MOEBENCH_CHECK(e.gate.dtype == e.up.dtype && e.gate.row_bytes == e.up.row_bytes);
  Product p;
  p.weights = e.gate.data;
  p.up = e.up.data;
  p.row_bytes = e.gate.row_bytes;
  p.n = e.width;
  p.units = packed_units(e.hidden);
  p.x = rounded_rows_at(memory + w.x, tokens, e.hidden, row_planes(e.gate.dtype),
                        row_is_brain(e.gate.dtype));
  p.out = reinterpret_cast<float*>(memory + w.inner);
  p.out_stride = e.width;
  return p;
}

/// The inner activations as a tensor, to be rounded for `down`.
inline Tensor inner_rows(const Product& inner, const DeviceExperts& e, std::int64_t entries) {
  return Tensor::contiguous(inner.out, DType::kF32, {entries, e.width});
}

/// From rounded inner activations (entries, width) to (entries, hidden); the caller says where.
inline Product expert_output_product(const DeviceExperts& e, const ExpertWorkspace& w,
                                     std::byte* memory, std::int64_t entries) {
  Product p;
  p.weights = e.down.data;
  p.row_bytes = e.down.row_bytes;
  p.n = e.hidden;
  p.units = packed_units(e.width);
  p.x = rounded_rows_at(memory + w.inner_rounded, entries, e.width, row_planes(e.down.dtype),
                        row_is_brain(e.down.dtype));
  return p;
}

}  // namespace moebench::cuda
