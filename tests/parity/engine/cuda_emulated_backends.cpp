#include "engine/backends/cuda/cuda_backend.h"
#include "tests/emulation/cuda/execution.h"
#include "tests/parity/engine/parity_backends.h"

namespace moebench {

std::map<std::string, std::function<std::unique_ptr<Backend>()>> parity_backends() {
  return {{"cuda_emulated", [] {
             cuda_emulation::set_checks(false);  // the conformance suite has them on
             return cuda::make_cuda_backend(0);
           }}};
}

}  // namespace moebench
