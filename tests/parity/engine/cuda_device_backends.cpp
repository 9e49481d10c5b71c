#include "engine/backends/cuda/plugin_loader.h"
#include "tests/parity/engine/parity_backends.h"

namespace moebench {

// A real GPU through the plugin; without one each case fails with the reason.
std::map<std::string, std::function<std::unique_ptr<Backend>()>> parity_backends() {
  return {{"cuda", [] { return cuda::load_backend(0); }}};
}

}  // namespace moebench
