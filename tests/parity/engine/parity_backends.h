#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "engine/backends/backend.h"

namespace moebench {

/// The backends that this program compares with transformers, by name: host_backends.cpp,
/// cuda_emulated_backends.cpp.
std::map<std::string, std::function<std::unique_ptr<Backend>()>> parity_backends();

}  // namespace moebench
