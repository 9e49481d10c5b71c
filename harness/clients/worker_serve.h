#pragma once

#include <functional>
#include <memory>

#include "harness/clients/engine_client.h"

namespace moebench {

/// The worker's side: greets, loads what it is told to with `load`, then serves requests until the
/// input ends, which ends the process. Interrupts are left to the harness. `output` carries frames
/// alone: nothing else may write to it. Returns the exit code when the harness breaks the protocol
/// or the engine can't go on.
int serve_worker(int input, int output,
                 const std::function<std::unique_ptr<EngineClient>(const EngineOptions&)>& load);

/// serve_worker on the standard input and output. What else writes to the standard output goes to
/// the standard error instead.
int serve_worker_on_stdio(
    const std::function<std::unique_ptr<EngineClient>(const EngineOptions&)>& load);

}  // namespace moebench
