#pragma once

#include "engine/backends/cuda/device_context.h"

namespace moebench::cuda {

/// Backend::head_matmul: out[t, h, :] (n) = W[h] (n, k) x[t, h, :] (k).
/// `weight` holds (heads * n, k): head h has rows h * n .. (h + 1) * n - 1; n = out.shape[2].
void head_matmul(DeviceContext& device, const Tensor& out, const Tensor& x,
                 const DeviceMatrix& weight);

}  // namespace moebench::cuda
