#include "reports/statistics/proportion.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>

namespace moebench {

double two_sided_z(double confidence) {
  return boost::math::quantile(boost::math::normal(), 0.5 + confidence / 2);
}

Interval wilson_interval(double successes, double trials, double confidence) {
  if (trials <= 0) return {0, 1};
  const double z = two_sided_z(confidence), p = successes / trials, z2 = z * z / trials;
  const double center = (p + z2 / 2) / (1 + z2);
  const double half = z / (1 + z2) * std::sqrt(p * (1 - p) / trials + z2 / (4 * trials));
  // At 0 and at all successes the ends are exactly 0 and 1; rounding must not move them.
  return {successes <= 0 ? 0.0 : std::max(0.0, center - half),
          successes >= trials ? 1.0 : std::min(1.0, center + half)};
}

ProportionEstimate estimate_proportion(std::span<const QuestionCount> questions,
                                       double confidence) {
  ProportionEstimate estimate;
  double correct = 0, attempts = 0, asked = 0;
  for (const QuestionCount& question : questions) {
    if (question.attempts == 0) continue;
    ++asked;
    correct += static_cast<double>(question.correct);
    attempts += static_cast<double>(question.attempts);
    estimate.clustered = estimate.clustered || question.attempts > 1;
  }
  if (attempts == 0) {
    estimate.interval = {0, 1};
    return estimate;
  }
  const double p = correct / attempts;
  estimate.value = p;
  estimate.effective_trials = attempts;
  estimate.standard_error = std::sqrt(p * (1 - p) / attempts);
  if (estimate.clustered && asked > 1) {
    double sum_squares = 0;
    for (const QuestionCount& question : questions) {
      const double residual =
          static_cast<double>(question.correct) - p * static_cast<double>(question.attempts);
      sum_squares += residual * residual;
    }
    estimate.standard_error = std::sqrt(sum_squares * asked / (asked - 1)) / attempts;
    const double variance = estimate.standard_error * estimate.standard_error;
    estimate.effective_trials =
        variance > 0 ? std::clamp(p * (1 - p) / variance, asked, attempts) : asked;
  } else if (estimate.clustered) {
    estimate.effective_trials = 1;  // one question tells nothing about others
  }
  estimate.interval =
      wilson_interval(p * estimate.effective_trials, estimate.effective_trials, confidence);
  if (correct == 0) estimate.interval.low = 0;
  if (correct == attempts) estimate.interval.high = 1;
  return estimate;
}

Interval difference_interval(const ProportionEstimate& a, const ProportionEstimate& b) {
  const double d = a.value - b.value;
  return {d - std::hypot(a.value - a.interval.low, b.interval.high - b.value),
          d + std::hypot(a.interval.high - a.value, b.value - b.interval.low)};
}

}  // namespace moebench
