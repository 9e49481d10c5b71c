#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/reference/reference_backend.h"
#include "tests/parity/engine/parity_backends.h"

namespace moebench {

std::map<std::string, ParityBackend> parity_backends() {
  return {{"reference", {[] { return make_reference_backend(); }}},
          {"cpu", {[] { return make_cpu_backend(2); }}}};
}

}  // namespace moebench
