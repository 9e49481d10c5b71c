#include "engine/backends/cuda/cuda_backend.h"
#include "tests/conformance/conformance.h"

namespace moebench::conformance {

std::vector<BackendCase> backends() {
  return {{"cuda_emulated", [](int) { return cuda::make_cuda_backend(0); }}};
}

}  // namespace moebench::conformance
