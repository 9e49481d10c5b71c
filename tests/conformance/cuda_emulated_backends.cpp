#include <cuda_runtime.h>
#include "engine/backends/cuda/cuda_backend.h"
#include "tests/conformance/backend_case.h"
#include "tests/emulation/cuda/execution.h"

namespace moebench::conformance {

std::vector<BackendCase> backends() {
  return {{"cuda_emulated", [](int) { return cuda::make_cuda_backend(0); },
           [](bool thorough) {
             cuda_emulation::forget_failure();  // of the case before
             cuda_emulation::set_checks(thorough);
           }}};
}

}  // namespace moebench::conformance
