#pragma once

#include <cstdint>

namespace moebench {

/// What a planned comparison of two systems looks like. Probabilities, not percent.
struct PowerPlan {
  double accuracy = 0.5;      ///< of the baseline, 0 to 1
  double difference = 0.03;   ///< to be found, positive
  double agreement = 0.5;     ///< correlation of the two systems' results on a question, 0 to <1;
                              ///< 0: as independent as unpaired questions
  double between_share = 1;   ///< share of a result's variance that lies between questions, 0 to 1:
                              ///< 1: attempts at one question always end alike
  std::int64_t attempts = 1;  ///< at each question
  double alpha = 0.05, power = 0.8;
};

/// Questions that a two-sided paired test needs: n = (z_(1-alpha/2) + z_power)^2 V / d^2 with the
/// variance of one question's mean difference V = (1 - agreement) (p(1-p) + q(1-q))
/// (between + (1 - between) / attempts), q = p + d (Miller 2024, arXiv 2411.00640, section 5).
/// Throws Error(kUsage) for a plan that makes no sense.
std::int64_t required_questions(const PowerPlan& plan);

/// The difference that `questions` can find under the plan's other terms (its `difference` is
/// ignored). The inverse of required_questions.
double detectable_difference(const PowerPlan& plan, std::int64_t questions);

/// Questions needed to show two equal systems equivalent within `margin` (TOST at plan.alpha, power
/// plan.power): n = (z_(1-alpha) + z_((1+power)/2))^2 V / margin^2.
std::int64_t required_questions_for_equivalence(const PowerPlan& plan, double margin);

}  // namespace moebench
