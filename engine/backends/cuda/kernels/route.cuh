#pragma once

#include "engine/backends/backend.h"
#include "engine/backends/cuda/device_context.h"

namespace moebench::cuda {

/// Backend::route, by the rule of engine/backends/routing.h: one warp a row; every sum runs in the
/// order of the experts and equal values go to the lower index, as on the host.
void route(DeviceContext& device, const Tensor& expert_ids, const Tensor& expert_weights,
           const Tensor& logits, const float* selection_bias, const RouterOptions& options,
           const Tensor* counts);

}  // namespace moebench::cuda
