#pragma once

#include <filesystem>
#include <optional>

#include "reports/gate/gate_file.h"
#include "reports/gate/outputs.h"

namespace moebench {

/// Lets both programs answer the changed question again with log-probabilities and finds the first
/// token at which they part. Nothing where they don't part this time, or where the prompt is none
/// that `moebench generate` can be given (several messages). Throws as run_program does.
std::optional<TokenDivergence> find_divergence(const ChangedOutput& changed,
                                               const GateSettings& settings,
                                               const std::filesystem::path& baseline,
                                               const std::filesystem::path& candidate,
                                               const std::filesystem::path& scratch);

}  // namespace moebench
