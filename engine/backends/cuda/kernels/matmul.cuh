#pragma once

#include <span>

#include "engine/backends/cuda/device_context.h"

namespace moebench::cuda {

/// backend.h's MatmulTarget with its weights resolved.
struct DeviceTarget {
  DeviceMatrix weight;          // (n, k)
  Tensor out;                   // (tokens, n) F32, rows may be strided
  const float* bias = nullptr;  // (n), device memory
  bool accumulate = false;
};

/// Backend::matmul: x (tokens, k).
void matmul(DeviceContext& device, const Tensor& x, std::span<const DeviceTarget> targets);

}  // namespace moebench::cuda
