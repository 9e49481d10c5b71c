#include "engine/backends/cuda/cuda_error.h"

#include <string>

#include "engine/base/error.h"

namespace moebench::cuda {

void check(cudaError_t status, const char* doing) {
  if (status == cudaSuccess) return;
  throw Error(ErrorCode::kDevice, std::string("CUDA failed while ") + doing + ": " +
                                      cudaGetErrorName(status) + ": " + cudaGetErrorString(status));
}

void check(cublasStatus_t status, const char* doing) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(ErrorCode::kDevice, std::string("cuBLAS failed while ") + doing + ": status " +
                                      std::to_string(static_cast<int>(status)));
}

}  // namespace moebench::cuda
