#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "reports/record/run_record.h"

namespace moebench {

struct RunOutcome {
  std::filesystem::path directory;
  std::int64_t answered = 0, planned = 0;
  std::int64_t dropped = 0;  ///< in flight when the user stopped the run; asked again on resume
  bool interrupted = false;
};

/// Says one sentence to the user: (what, is it a warning?).
using Announce = std::function<void(const std::string&, bool is_warning)>;

/// Plays the tasks of `requested` (see parse_run_settings) and records them in `directory`, which
/// must not hold a run yet. Every finished attempt is on disk before the next is looked at;
/// whatever ends the run leaves a readable record that says it is partial. Throws Error.
RunOutcome start_run(const Settings& requested, const std::filesystem::path& directory,
                     const Announce& announce);

/// Continues the run in `directory`: attempts that are recorded are not repeated, and the results
/// are those of a run that was never interrupted. Throws Error(kUsage) when `typed`, the model, the
/// data or the prompts are not those of the recorded part.
RunOutcome resume_run(const std::filesystem::path& directory, const Settings& typed,
                      const Announce& announce);

}  // namespace moebench
