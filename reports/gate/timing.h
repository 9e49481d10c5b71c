#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "reports/gate/metrics.h"
#include "reports/statistics/interval.h"

namespace moebench {

enum class GateVerdict { kPass, kFail, kInconclusive };
const char* to_string(GateVerdict verdict);  ///< "pass", "fail", "inconclusive"

/// One metric's finding. Effects are worsenings as fractions: +0.05 is 5 % worse, whichever the
/// metric's direction.
struct TimingFinding {
  GatedMetric metric;
  GateVerdict verdict = GateVerdict::kInconclusive;
  double baseline = 0, candidate = 0;  ///< medians over the rounds
  double worsening = 0;
  Interval interval;  ///< of the worsening
  std::string because;
};

/// Figures of a baseline and a candidate measured next to each other.
struct GateRound {
  std::map<std::string, double> baseline, candidate;
};

/// After how many rounds the gate looks at the data. Looking more often would only cost level: each
/// look gets the same part of it.
inline constexpr int kLooks[] = {12, 16, 22, 30, 40, 54, 72, 96};
inline constexpr double kDefaultAlpha = 0.01;

/// The next look at or after `rounds`; 0 after the last.
int next_look(int rounds);

/// Decides every metric that all rounds hold, for a gate that looks at kLooks.
///
/// Interval: the exact signed-rank interval of log(worse / better) over the rounds. Level: `alpha`
/// bounds the chance that a gate of two equal programs fails, whatever the number of looks taken
/// and however the metrics depend on each other (Bonferroni): half of it is shared by the required
/// metrics, half by the others, each share by the looks.
///
/// Fail: the interval lies above 0 (significant) and the estimate reaches the minimum effect.
/// Pass: the interval ends below the minimum effect, or it is narrower than the minimum effect and
/// the estimate is below it. Everything else is inconclusive.
/// Metrics that some round lacks are left out.
std::vector<TimingFinding> decide_timing(std::span<const GateRound> rounds,
                                         std::span<const GatedMetric> metrics, double alpha);

/// The rule above, for a finding whose figures and interval are filled: sets verdict and because.
void decide_finding(TimingFinding& finding);

/// For rounds in which both programs ran at once on one core: the one that is done first leaves the
/// core to the other, so a worsening of a wall-clock figure shows smaller than it is. It can still
/// be shown, but never be excluded: a pass becomes inconclusive, and none of them is required.
void trust_only_worsenings_of_wall_clock(std::span<TimingFinding> findings);

/// Rounds that a metric will take until its interval is narrower than its minimum effect, judged by
/// the spread (not the size) of the log ratios so far; at least kLooks[0]. 0 rounds: kLooks[0].
int rounds_needed(std::span<const GateRound> rounds, std::span<const GatedMetric> metrics,
                  const std::string& key, double alpha);

/// True when every required metric has a decision, or any metric failed: more rounds would change
/// nothing.
bool timing_is_decided(std::span<const TimingFinding> findings);

}  // namespace moebench
