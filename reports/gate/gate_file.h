#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reports/gate/outputs.h"
#include "reports/gate/timing.h"

namespace moebench {

/// What a gate measures and where it draws the lines; ci/gate/gate.json shows every key.
enum class Interleaving : std::uint8_t {
  kInTurn,    ///< A B B A: one program at a time
  kTogether,  ///< A and B at once, on the same core
  kAuto,      ///< in turn, and together where that would not come to an end on this machine
};

struct GateSettings {
  /// Settings of `moebench run`, by its long options. `check` is played once by both programs, for
  /// accuracy and output hashes; `timing` is played again and again.
  Settings check, timing;
  double budget_seconds = 120;      ///< for everything together
  double run_timeout_seconds = 60;  ///< for one start of a program; then it counts as hanging
  Interleaving interleaving = Interleaving::kAuto;
  double alpha = kDefaultAlpha;  ///< chance that two equal programs fail
  double accuracy_minimum_effect = 0.03;
  /// Records of different moments: below this factor - 1 their timings tell nothing. Two runs of
  /// one build, minutes apart on a busy machine, were seen to differ by 45 % in wall-clock figures.
  double stored_minimum_effect = 1.0;
  double instructions_minimum_effect = 0.01;
  std::vector<GatedMetric> metrics;
};

/// The canary: all embedded problems for the check, 60 questions a timed run on one thread.
GateSettings default_gate_settings();

/// The defaults, overridden by a JSON gate file. `where` names the source in errors. Throws
/// Error(kConfiguration) for text that is no gate file: bad JSON, an unknown key or metric, a value
/// out of its range; the message names it.
GateSettings parse_gate_file(std::string_view json, const std::string& where);

}  // namespace moebench
