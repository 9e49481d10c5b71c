#include "engine/backends/cuda/plugin_loader.h"
#include "tests/parity/engine/parity_backends.h"

namespace moebench {

// A real GPU through the plugin; without one each case fails with the reason.
std::map<std::string, ParityBackend> parity_backends() {
  return {{"cuda", {[] { return cuda::load_backend(0); }}},
          {"cuda_cublaslt",
           {[] { return cuda::load_backend(0, cuda::DenseProducts::kCublasLt); },
            "deepseek_v3_plain"}}};  // the one in BF16
}

}  // namespace moebench
