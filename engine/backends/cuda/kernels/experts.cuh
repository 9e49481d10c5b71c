#pragma once

#include "engine/backends/cuda/device_context.h"

namespace moebench::cuda {

/// Backend::experts: out (tokens, hidden) += sum over a row's experts, ascending, of
/// weight * expert(x). expert_ids (tokens, top_k) I32, expert_weights (tokens, top_k) F32.
void experts(DeviceContext& device, const Tensor& out, const Tensor& x,
             const DeviceExperts& experts, const Tensor& expert_ids, const Tensor& expert_weights);

}  // namespace moebench::cuda
