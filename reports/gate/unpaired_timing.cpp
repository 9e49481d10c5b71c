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
  for (std::size_t i = 0; i < findings.size(); ++i) {
    TimingFinding& finding = findings[i];
    if (figures[i].baseline.size() == 1 && figures[i].candidate.size() == 1) {
      const double drift =
          finding.metric.key == "peak_memory_bytes" ? kMemoryDrift : settings.stored_minimum_effect;
      finding.interval = {finding.worsening - drift, finding.worsening + drift};
      decide_finding(finding);
      if (finding.verdict == GateVerdict::kInconclusive)
        finding.because = "one record a side, made at different times, is good to +-" +
                          format_percent(drift, 0) + " % only; the limit is " +
                          format_percent(finding.metric.minimum_effect, 0) + " %";
    }
    if (machine_notes.empty()) continue;
    finding.verdict = GateVerdict::kInconclusive;
    finding.because = "measured on different machines (" + machine_notes[0] + ")";
  }
  return findings;
}

}  // namespace moebench
