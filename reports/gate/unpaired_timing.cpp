#include "reports/gate/unpaired_timing.h"

#include <algorithm>
#include <cmath>

#include "reports/gate/rank_intervals.h"
#include "reports/render/cells.h"

namespace moebench {
namespace {

constexpr double kMemoryDrift = 0.01;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

// Repetitions on both sides that make the most extreme ranking rarer than `tail`: 1 / C(2n, n).
int repetitions_needed(double tail) {
  double chance = 1;
  int n = 0;
  while (chance > tail && n < 50) {
    ++n;
    chance *= static_cast<double>(n) / static_cast<double>(2 * (2 * n - 1));
  }
  return n;
}

std::vector<double> logs_of(const std::vector<double>& values) {
  std::vector<double> logs;
  for (const double value : values) logs.push_back(std::log(value));
  return logs;
}

// Do the two sides' start times overlap, with several on each?
bool made_in_turn(std::span<const LoadedRun> baselines, std::span<const LoadedRun> candidates) {
  if (baselines.size() < 2 || candidates.size() < 2) return false;
  const auto range = [](std::span<const LoadedRun> runs) {
    const auto earlier = [](const LoadedRun& a, const LoadedRun& b) {
      return a.run.started_utc < b.run.started_utc;  // ISO 8601 sorts as text
    };
    const auto [first, last] = std::minmax_element(runs.begin(), runs.end(), earlier);
    return std::pair(first->run.started_utc, last->run.started_utc);
  };
  const auto a = range(baselines), b = range(candidates);
  return a.first < b.second && b.first < a.second;
}

}  // namespace

std::vector<TimingFinding> decide_unpaired(std::span<const UnpairedFigure> figures, double alpha) {
  std::vector<TimingFinding> findings;
  const double tail = alpha / std::max<double>(1, static_cast<double>(figures.size()));
  for (const UnpairedFigure& figure : figures) {
    std::vector<double> a = logs_of(figure.baseline), b = logs_of(figure.candidate);
    if (figure.metric.higher_is_better) std::swap(a, b);  // a worsening is positive
    const RankEstimate estimate = rank_sum_interval(a, b, tail);
    TimingFinding finding;
    finding.metric = figure.metric;
    finding.baseline = median(figure.baseline);
    finding.candidate = median(figure.candidate);
    finding.worsening = std::expm1(estimate.value);
    finding.interval = {std::expm1(estimate.interval.low), std::expm1(estimate.interval.high)};
    decide_finding(finding);
    if (!std::isfinite(estimate.interval.low))
      finding.because = std::to_string(a.size()) + " and " + std::to_string(b.size()) +
                        " repetitions can't tell; " + std::to_string(repetitions_needed(tail)) +
                        " on each side can";
    findings.push_back(std::move(finding));
  }
  return findings;
}

std::vector<TimingFinding> decide_stored(std::span<const LoadedRun> baselines,
                                         std::span<const LoadedRun> candidates,
                                         const GateSettings& settings,
                                         std::span<const std::string> machine_notes) {
  std::vector<UnpairedFigure> figures;
  for (const GatedMetric& metric : settings.metrics) {
    UnpairedFigure figure{metric, {}, {}};
    const auto take = [&](std::span<const LoadedRun> runs, std::vector<double>& values) {
      for (const LoadedRun& run : runs) {
        const auto all = gate_figures(run);
        const auto value = all.find(metric.key);
        if (value != all.end()) values.push_back(value->second);
      }
    };
    take(baselines, figure.baseline);
    take(candidates, figure.candidate);
    if (!figure.baseline.empty() && !figure.candidate.empty()) figures.push_back(std::move(figure));
  }
  std::vector<TimingFinding> findings = decide_unpaired(figures, settings.alpha);
  const bool in_turn = made_in_turn(baselines, candidates);
  for (std::size_t i = 0; i < findings.size(); ++i) {
    TimingFinding& finding = findings[i];
    if (!in_turn) {
      const double drift =
          finding.metric.key == "peak_memory_bytes" ? kMemoryDrift : settings.stored_minimum_effect;
      const double ratio = figures[i].metric.higher_is_better
                               ? finding.baseline / finding.candidate
                               : finding.candidate / finding.baseline;
      finding.worsening = ratio - 1;
      finding.interval = {finding.worsening - drift, finding.worsening + drift};
      decide_finding(finding);
      if (finding.verdict == GateVerdict::kInconclusive)
        finding.because = "records of different moments are good to +-" + format_percent(drift, 0) +
                          " % only; the limit is " +
                          format_percent(finding.metric.minimum_effect, 0) + " %";
    }
    if (machine_notes.empty()) continue;
    finding.verdict = GateVerdict::kInconclusive;
    finding.because = "measured on different machines (" + machine_notes[0] + ")";
  }
  return findings;
}

}  // namespace moebench
