#pragma once

#include <cstdint>
#include <string>

#include "reports/record/record_files.h"

namespace moebench {

/// What a made-up run looks like. Everything follows from these numbers and the seed.
struct MadeRun {
  std::string label = "made";
  std::uint64_t seed = 1;
  int questions = 200;  ///< of each of two tasks, "stories" and "algebra" (with levels, subjects)
  int attempts = 1;
  double ability = 0.6;      ///< chance of a correct answer, lower on higher levels
  double ms_per_token = 10;  ///< decode
  double usd_per_hour = 0.36;
  std::string weights = "f32";
};

/// A complete run with samples, step kinds and expert load, as an engine would have written it.
/// Question texts and difficulties depend on the question alone, so that two runs are paired.
LoadedRun make_run(const MadeRun& made);

}  // namespace moebench
