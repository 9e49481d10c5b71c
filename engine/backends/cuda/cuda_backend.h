#pragma once

#include <memory>

#include "engine/backends/backend.h"
#include "engine/backends/cuda/plugin.h"

namespace moebench::cuda {

/// The backend on device `index`, one stream. Throws Error(kUsage) when there is no such device, it
/// is older than sm_80 or `dense` wants a library that isn't there, Error(kDevice) when CUDA fails.
std::unique_ptr<Backend> make_cuda_backend(int index, DenseProducts dense = DenseProducts::kOwn);

}  // namespace moebench::cuda
