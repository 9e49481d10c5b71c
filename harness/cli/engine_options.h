#pragma once

#include <string>

#include "engine/engine.h"

namespace CLI {
class App;
}

namespace moebench {

/// Adds the options that say which model to load and on what, filling `options`: --model,
/// --threads,
/// --weights-type, --kv-cache-type, --device, --step-tokens. `options` must outlive the parsing.
void add_engine_options(CLI::App& sub, EngineOptions& options);

}  // namespace moebench
