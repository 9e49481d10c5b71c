#pragma once

#include <cuda_runtime.h>

namespace moebench::cuda {

/// Throws Error(kDevice) that says what was being done and what CUDA answered.
void check(cudaError_t status, const char* doing);

}  // namespace moebench::cuda
