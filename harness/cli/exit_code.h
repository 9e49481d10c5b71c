#pragma once

#include "engine/base/error.h"

namespace moebench {

/// What a script that calls moebench can rely on.
enum class ExitCode : int {
  kHolds = 0,         ///< done; the gate passed, the claim holds
  kFailed = 1,        ///< the gate failed, the claim is refuted
  kUsage = 2,         ///< the command line, a task, a model file: mend the input
  kRunError = 3,      ///< disk, device, network: mend the machine
  kInconclusive = 4,  ///< the data cannot tell
  kInterrupted = 130  ///< stopped by the user; `moebench run --resume` continues
};

ExitCode exit_code_of(ErrorCode code) noexcept;

}  // namespace moebench
