#pragma once

#include <string>

#include "engine/engine.h"
#include "harness/clients/remote_options.h"

namespace CLI {
class App;
}

namespace moebench {

/// Adds the options of models that a server answers for: --base-url, --api-key-env, --launch, ...
/// `remote` must outlive the parsing.
void add_remote_options(CLI::App& sub, RemoteOptions& remote);

/// Adds the options that say which model to load and on what, filling `options`: --model,
/// --threads, --weights-type, --kv-cache-type, --device, --cpu-experts, --cuda-dense,
/// --step-tokens. `options` must outlive the parsing.
void add_engine_options(CLI::App& sub, EngineOptions& options);

}  // namespace moebench
