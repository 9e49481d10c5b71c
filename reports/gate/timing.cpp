#include "reports/gate/timing.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "reports/gate/rank_intervals.h"
#include "reports/render/cells.h"
#include "reports/statistics/proportion.h"

namespace moebench {
namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

bool everywhere(std::span<const GateRound> rounds, const std::string& key) {
  return std::all_of(rounds.begin(), rounds.end(), [&](const GateRound& round) {
    const auto a = round.baseline.find(key), b = round.candidate.find(key);
    return a != round.baseline.end() && b != round.candidate.end() && a->second > 0 &&
           b->second > 0;
  });
}

std::string percent(double fraction) { return format_percent(fraction, 1) + " %"; }

// This metric's part of the level, at one look: half of alpha for the required metrics, half for
// the others, divided evenly.
double tail_of(const GatedMetric& metric, std::span<const GatedMetric> metrics, double alpha) {
  const auto alike = std::count_if(metrics.begin(), metrics.end(), [&](const GatedMetric& other) {
    return other.required == metric.required;
  });
  return alpha / 2 / static_cast<double>(alike) / static_cast<double>(std::size(kLooks));
}

}  // namespace

const char* to_string(GateVerdict verdict) {
  switch (verdict) {
    case GateVerdict::kPass:
      return "pass";
    case GateVerdict::kFail:
      return "fail";
    case GateVerdict::kInconclusive:
      break;
  }
  return "inconclusive";
}

void decide_finding(TimingFinding& finding) {
  const double least = finding.metric.minimum_effect;
  const Interval& interval = finding.interval;
  const bool worse = interval.low > 0, reaches = finding.worsening >= least;
  if (worse && reaches) {
    finding.verdict = GateVerdict::kFail;
    finding.because = percent(finding.worsening) + " worse, at least " + percent(interval.low) +
                      "; the limit is " + percent(least);
  } else if (interval.high < least) {
    finding.verdict = GateVerdict::kPass;
    finding.because = "at most " + percent(std::max(0.0, interval.high)) + " worse; the limit is " +
                      percent(least);
  } else if (interval.high - interval.low < least && !reaches) {
    finding.verdict = GateVerdict::kPass;
    finding.because = "known to within " + percent(interval.high - interval.low) +
                      " and below the limit of " + percent(least);
  } else {
    finding.verdict = GateVerdict::kInconclusive;
    finding.because = std::isfinite(interval.high - interval.low)
                          ? "known to within " + percent(interval.high - interval.low) +
                                " only; the limit is " + percent(least)
                          : "too few rounds";
  }
}

int next_look(int rounds) {
  const auto* look = std::lower_bound(std::begin(kLooks), std::end(kLooks), rounds);
  return look == std::end(kLooks) ? 0 : *look;
}

std::vector<TimingFinding> decide_timing(std::span<const GateRound> rounds,
                                         std::span<const GatedMetric> metrics, double alpha) {
  std::vector<TimingFinding> findings;
  if (rounds.empty()) return findings;
  for (const GatedMetric& metric : metrics) {
    if (!everywhere(rounds, metric.key)) continue;
    std::vector<double> baseline, candidate, logs;
    for (const GateRound& round : rounds) {
      const double a = round.baseline.at(metric.key), b = round.candidate.at(metric.key);
      baseline.push_back(a);
      candidate.push_back(b);
      logs.push_back(metric.higher_is_better ? std::log(a / b) : std::log(b / a));
    }
    const RankEstimate estimate = signed_rank_interval(logs, tail_of(metric, metrics, alpha));
    TimingFinding finding;
    finding.metric = metric;
    finding.baseline = median(baseline);
    finding.candidate = median(candidate);
    finding.worsening = std::expm1(estimate.value);
    finding.interval = {std::expm1(estimate.interval.low), std::expm1(estimate.interval.high)};
    decide_finding(finding);
    findings.push_back(std::move(finding));
  }
  return findings;
}

void trust_only_worsenings_of_wall_clock(std::span<TimingFinding> findings) {
  for (TimingFinding& finding : findings) {
    if (!finding.metric.wall_clock || finding.verdict == GateVerdict::kFail) continue;
    finding.metric.required = false;
    if (finding.verdict == GateVerdict::kPass)
      finding.because = "no worsening shown while both shared a core, which hides part of one";
    finding.verdict = GateVerdict::kInconclusive;
  }
}

int rounds_needed(std::span<const GateRound> rounds, std::span<const GatedMetric> metrics,
                  const std::string& key, double alpha) {
  const auto metric = std::find_if(metrics.begin(), metrics.end(),
                                   [&](const GatedMetric& m) { return m.key == key; });
  if (metric == metrics.end() || rounds.empty() || !everywhere(rounds, key)) return kLooks[0];
  std::vector<double> logs, deviations;
  for (const GateRound& round : rounds)
    logs.push_back(std::log(round.candidate.at(key) / round.baseline.at(key)));
  const double middle = median(logs);
  for (const double value : logs) deviations.push_back(std::fabs(value - middle));
  constexpr double kDeviationToSigma = 1.4826;  // of a normal distribution
  const double sigma = kDeviationToSigma * median(deviations);
  const double z = two_sided_z(1 - 2 * tail_of(*metric, metrics, alpha));
  const double width = 2 * z * sigma / metric->minimum_effect;
  return std::max<int>(kLooks[0], static_cast<int>(std::min(1e6, std::ceil(width * width))));
}

bool timing_is_decided(std::span<const TimingFinding> findings) {
  bool decided = true;
  for (const TimingFinding& finding : findings) {
    if (finding.verdict == GateVerdict::kFail) return true;
    if (finding.metric.required && finding.verdict == GateVerdict::kInconclusive) decided = false;
  }
  return decided;
}

}  // namespace moebench
