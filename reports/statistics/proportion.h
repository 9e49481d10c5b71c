#pragma once

#include <cstdint>
#include <span>

#include "reports/statistics/interval.h"

namespace moebench {

/// The z with P(-z < N(0,1) < z) = confidence; 1.95996... for 0.95.
double two_sided_z(double confidence);

/// Wilson's score interval (Wilson 1927, JASA 22:209) for successes / trials independent trials.
/// `trials` may be an effective number of trials and need not be whole. No trials: [0, 1].
Interval wilson_interval(double successes, double trials, double confidence = kDefaultConfidence);

/// All attempts at one question.
struct QuestionCount {
  std::int64_t correct = 0, attempts = 0;
};

struct ProportionEstimate {
  double value = 0;           ///< correct attempts / attempts, over all questions
  double standard_error = 0;  ///< clustered by question where there are several attempts
  Interval interval;
  double effective_trials = 0;  ///< independent trials that would be as informative
  bool clustered = false;       ///< some question has more than one attempt
};

/// Accuracy over questions that are each sampled one or more times (pass@1).
///
/// One attempt each: Wilson. Several: attempts at one question are not independent, so the standard
/// error is the cluster-robust one of a ratio (Miller 2024, arXiv 2411.00640, section 2.2; the
/// factor Q/(Q-1) corrects for few questions), and the interval is Wilson's at the effective
/// number of trials p(1-p)/SE^2, kept between the number of questions and of attempts, which is
/// what perfectly alike and independent attempts would give.
ProportionEstimate estimate_proportion(std::span<const QuestionCount> questions,
                                       double confidence = kDefaultConfidence);

/// Newcombe's hybrid score interval (Newcombe 1998, Stat. Med. 17:873, method 10) for a - b of two
/// independent proportions.
Interval difference_interval(const ProportionEstimate& a, const ProportionEstimate& b);

}  // namespace moebench
