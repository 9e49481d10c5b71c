#include "engine/backends/cuda/cuda_error.h"

#include <string>

#include "engine/base/error.h"

namespace moebench::cuda {

void check(cudaError_t status, const char* doing) {
  if (status == cudaSuccess) return;
  throw Error(ErrorCode::kDevice, std::string("CUDA failed while ") + doing + ": " +
                                      cudaGetErrorName(status) + ": " + cudaGetErrorString(status));
}

}  // namespace moebench::cuda
