#include <cuda_runtime.h>
#include "engine/backends/cuda/cuda_backend.h"
#include "tests/conformance/backend_case.h"
#include "tests/emulation/cuda/execution.h"

namespace moebench::conformance {

namespace {

void prepare(bool thorough) {
  cuda_emulation::forget_failure();  // of the case before
  cuda_emulation::set_checks(thorough);
}

}  // namespace

std::vector<BackendCase> backends() {
  return {{"cuda_emulated", [](int) { return cuda::make_cuda_backend(0); }, prepare},
          {"cuda_emulated_cublaslt",
           [](int) { return cuda::make_cuda_backend(0, cuda::DenseProducts::kCublasLt); }, prepare,
           "matmul_"}};
}

}  // namespace moebench::conformance
