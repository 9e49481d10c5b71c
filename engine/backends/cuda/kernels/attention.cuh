#pragma once

#include "engine/backends/backend.h"
#include "engine/backends/cuda/device_context.h"

namespace moebench::cuda {

/// Backend::attention over the paged cache, GQA and MLA in latent form.
void attention(DeviceContext& device, const Tensor& out, const Tensor& q, const KvLayer& cache,
               const AttentionBatch& batch, const AttentionOptions& options);

}  // namespace moebench::cuda
