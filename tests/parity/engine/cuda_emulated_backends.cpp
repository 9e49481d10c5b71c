#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cuda/cuda_backend.h"
#include "engine/backends/host_experts.h"
#include "tests/emulation/cuda/execution.h"
#include "tests/parity/engine/parity_backends.h"

namespace moebench {

std::map<std::string, ParityBackend> parity_backends() {
  cuda_emulation::set_checks(false);  // the conformance suite has them on
  const auto emulated = [] { return cuda::make_cuda_backend(0); };
  return {{"cuda_emulated", {emulated}},
          {"cuda_emulated_cpu_experts",
           {[emulated] { return with_host_experts(emulated(), make_cpu_backend(1)); }}},
          {"cuda_emulated_cublaslt",
           {[] { return cuda::make_cuda_backend(0, cuda::DenseProducts::kCublasLt); },
            "deepseek_v3_plain"}}};  // the one in BF16
}

}  // namespace moebench
