#pragma once

#include <span>
#include <string>
#include <vector>

#include "reports/gate/gate.h"
#include "reports/gate/gate_file.h"
#include "reports/history/change_points.h"
#include "reports/history/store.h"

namespace moebench {

/// One figure of one series of comparable runs, in order of time, with its changes.
struct Trend {
  std::string series, figure;
  bool higher_is_better = false;
  double minimum_effect = 0.03;
  std::vector<const HistoryRun*> runs;  ///< point into what find_trends was given
  std::vector<double> values;
  std::vector<ChangePoint> changes;  ///< those that reach the minimum effect

  /// As a fraction; positive is worse.
  double worsening(const ChangePoint& change) const;
};

struct TrendOptions {
  std::vector<GatedMetric> metrics;  ///< with "accuracy_percent" beside them
  double alpha = 0.01;               ///< of each series
  std::string figure;                ///< one figure alone; empty: all
};

/// Every figure of every series. Changes are found on the logarithms, so that a change is a ratio.
std::vector<Trend> find_trends(std::span<const HistoryRun> runs, const TrendOptions& options);

/// "a1b2c3d4 (2026-11-25T04:00:00Z)": the run after the change, and the one before it.
std::string date_of(const Trend& trend, const ChangePoint& change);

/// Plots and tables of all trends, changes first.
Document build_history_report(std::span<const HistoryRun> runs, const TrendOptions& options,
                              const std::string& title);

/// The gate's third source: fails where the last change of a figure, in the series of the newest
/// run, is a worsening that no later change has undone. Fewer than `kTrendRuns` runs of that series
/// are inconclusive.
GateResult gate_trend(std::span<const HistoryRun> runs, const GateSettings& settings,
                      const std::string& name);
inline constexpr std::size_t kTrendRuns = 10;

}  // namespace moebench
