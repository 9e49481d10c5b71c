#pragma once

#include "engine/backends/backend.h"
#include "engine/backends/cuda/device_context.h"

namespace moebench::cuda {

/// Backend::rope: one thread a pair.
void rope(DeviceContext& device, const Tensor& x, const Tensor& cos_sin, RopePairing pairing);

/// Backend::cache_write: one block a row; F32 or F16 pages.
void cache_write(DeviceContext& device, const KvLayer& cache, const Tensor& keys,
                 const Tensor& values, const AttentionBatch& batch);

}  // namespace moebench::cuda
