#pragma once

#include "engine/backends/cuda/device_context.h"

namespace moebench::cuda {

/// Backend::gated_mlp; `expert.n_experts` is 1, `gate_logit` (tokens, 1) may be null.
void gated_mlp(DeviceContext& device, const Tensor& out, const Tensor& x,
               const DeviceExperts& expert, bool accumulate, const Tensor* gate_logit);

}  // namespace moebench::cuda
