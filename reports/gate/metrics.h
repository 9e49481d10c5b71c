#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reports/record/record_files.h"

namespace moebench {

/// How a gate treats one figure.
struct GatedMetric {
  std::string key;    ///< "cpu_ms_per_token": unit in the name
  std::string title;  ///< for people
  bool higher_is_better = false;
  double minimum_effect = 0.03;  ///< a worsening below this fraction never fails the gate
  /// Without a decision on this one the whole gate is inconclusive. Others fail the gate where a
  /// worsening shows, and are merely reported where the machine is too noisy to tell.
  bool required = false;
  bool wall_clock = false;  ///< what two programs that share a core stretch for each other
};

/// What is gated by default, in the order of the report.
const std::vector<GatedMetric>& default_gated_metrics();

/// The figures of one run, by the metrics' keys; a figure that the run does not hold is missing.
///
/// cpu_ms_per_token: user and system time of all threads over the segments / (computed prompt
/// tokens + output tokens). questions_per_hour: attempts / wall time. TTFT, TPOT: percentiles over
/// the requests. Prefill, decode: tokens / phase time, as metrics/throughput.h defines them.
std::map<std::string, double> gate_figures(const LoadedRun& run);

}  // namespace moebench
