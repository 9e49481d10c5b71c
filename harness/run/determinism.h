#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "harness/run/run.h"

namespace moebench {

struct DeterminismSettings {
  std::int64_t answers = 16;  ///< how many of the run's answers are asked for again
  std::vector<std::int64_t> batch_sizes = {1, 2, 7, 16};
};

/// The answers again under one batch size. With the batch size, the threads, the size of prefill
/// chunks, the prefix cache and the order of the questions change too.
struct DeterminismPass {
  std::string name;  ///< "batch 7, 2 threads, chunks of 32 tokens, prefix cache off"
  std::int64_t equal = 0, different = 0;
};

struct DeterminismDifference {
  std::string pass, task, question_id;
  std::int64_t attempt = 0;
  std::size_t first_character = 0;  ///< where the two texts (thinking, then answer) part
  std::string recorded, repeated;   ///< what stands there, a few words of each
};

struct DeterminismResult {
  std::int64_t answers = 0;  ///< each asked once a pass
  std::vector<DeterminismPass> passes;
  std::vector<DeterminismDifference> differences;
  bool interrupted = false;  ///< by the user: the passes are not all there
  bool passes_agree = true;  ///< with each other, whatever the record says
  /// Why the record may differ rightly: another build, instruction set, CPU.
  std::vector<std::string> warnings;
};

/// Asks for answers of the run in `directory` again, spread evenly over the run, and compares each
/// with the recorded one, byte by byte. Failed answers are left out. Throws Error(kUsage) when the
/// run has no answers to compare, or the model or data are not the recorded ones.
DeterminismResult check_determinism(const std::filesystem::path& directory,
                                    const DeterminismSettings& settings, const Announce& announce);

}  // namespace moebench
