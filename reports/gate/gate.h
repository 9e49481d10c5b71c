#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/gate/outputs.h"
#include "reports/gate/timing.h"
#include "reports/render/document.h"

namespace moebench {

/// Everything that one gate found out.
struct GateResult {
  std::string source;               ///< how it was measured, in a sentence
  std::string baseline, candidate;  ///< names: paths of programs, files or runs
  std::optional<OutputsFinding> outputs;
  std::optional<AccuracyFinding> accuracy;
  std::vector<TimingFinding> timing;
  std::vector<std::string> notes;  ///< what a reader must know: other machines, rounds left out
  double alpha = kDefaultAlpha;
  int rounds = 0;  ///< of interleaved measurement
  double seconds = 0;
};

/// One line of the gate: what a CI system shows as a test.
struct GateCheck {
  std::string group, name;  ///< "outputs", "accuracy", "timing", ...; the metric's key
  GateVerdict verdict = GateVerdict::kInconclusive;
  bool required = true;  ///< not: inconclusive leaves the gate's verdict alone
  std::string because;
};

std::vector<GateCheck> gate_checks(const GateResult& result);

/// Fail where any check fails; else inconclusive where a required one is (or there is none at all);
/// else pass.
GateVerdict overall_verdict(const GateResult& result);

/// "fail: numerics changed: ..." One line for people.
std::string gate_headline(const GateResult& result);

Document build_gate_report(const GateResult& result);

}  // namespace moebench
