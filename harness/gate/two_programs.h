#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "reports/gate/gate.h"
#include "reports/gate/gate_file.h"

namespace moebench {

struct TwoPrograms {
  std::filesystem::path baseline, candidate;
  GateSettings settings;
  std::filesystem::path keep;  ///< where the records stay; empty: they are thrown away
  bool outputs_and_accuracy = true, timing = true;
  std::function<void(const std::string&)> announce;  ///< a sentence on progress
};

/// The gate on two programs, measured next to each other on this machine.
///
/// First both answer the check's questions once: another model or task is an error, a changed
/// output or a lost accuracy ends the gate. Then, after a warm-up of both, rounds of the timing run
/// in the order A B B A, pinned, until timing_is_decided() at one of kLooks or the budget is used
/// up (the look that was next is then taken early, so that no look is added). Outputs are compared
/// in every round: one that changes from run to run fails, too.
///
/// Where the ratios vary so much that running in turn would take more than 20 rounds (judged every
/// 4 rounds), the rounds begin anew with both programs at once on one core (duet benchmarking:
/// Bulej et al. 2020, ICPE, doi 10.1145/3358960.3379132): what disturbs the one disturbs the other
/// in the same milliseconds. The CPU time decides then. The choice looks at the spread of the
/// ratios, never at their size, and the number of looks stays what the level was divided by.
///
/// Throws Error as run_program, load_run and refuse_unlike do; Interrupted.
GateResult gate_two_programs(const TwoPrograms& gate);

}  // namespace moebench
