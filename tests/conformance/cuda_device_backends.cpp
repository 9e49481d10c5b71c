#include "engine/backends/cuda/plugin_loader.h"
#include "tests/conformance/backend_case.h"

namespace moebench::conformance {

// A real GPU through the plugin; without one each case fails with the reason.
std::vector<BackendCase> backends() {
  return {
      {"cuda", [](int) { return cuda::load_backend(0); }},
      {"cuda_cublaslt", [](int) { return cuda::load_backend(0, cuda::DenseProducts::kCublasLt); },
       [](bool) {}, "matmul_"}};
}

}  // namespace moebench::conformance
