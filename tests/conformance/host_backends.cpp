#include <cstdlib>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/kernels.h"
#include "engine/backends/reference/reference_backend.h"
#include "tests/conformance/backend_case.h"

namespace moebench::conformance {

std::vector<BackendCase> backends() {
  std::vector<BackendCase> cases = {{"reference", [](int) { return make_reference_backend(); }}};
  for (const cpu::Kernels* level : cpu::available_kernels())
    cases.push_back({"cpu_" + std::string(level->isa), [level](int threads) {
                       setenv("MOEBENCH_ISA", std::string(level->isa).c_str(), 1);
                       auto backend = make_cpu_backend(threads);
                       unsetenv("MOEBENCH_ISA");
                       return backend;
                     }});
  return cases;
}

}  // namespace moebench::conformance
