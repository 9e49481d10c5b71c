#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "engine/backends/backend.h"

namespace moebench {

struct ParityBackend {
  std::function<std::unique_ptr<Backend>()> make;
  std::string only = {};  ///< the one case of goldens/ that it is for; empty: all of them
};

/// The backends that this program compares with transformers, by name: host_backends.cpp,
/// cuda_emulated_backends.cpp.
std::map<std::string, ParityBackend> parity_backends();

}  // namespace moebench
