#pragma once

#include <memory>

#include "engine/backends/backend.h"

namespace moebench::cuda {

/// The backend on device `index`, one stream. Throws Error(kUsage) when there is no such device or
/// it is older than sm_80, Error(kDevice) when CUDA fails.
std::unique_ptr<Backend> make_cuda_backend(int index);

}  // namespace moebench::cuda
