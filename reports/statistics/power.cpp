#include "reports/statistics/power.h"

#include <boost/math/distributions/normal.hpp>
#include <cmath>

#include "engine/base/error.h"

namespace moebench {
namespace {

double z(double probability) { return boost::math::quantile(boost::math::normal(), probability); }

void check(const PowerPlan& plan) {
  const auto refuse = [](const char* what) { throw Error(ErrorCode::kUsage, what); };
  if (!(plan.accuracy >= 0 && plan.accuracy <= 1)) refuse("the accuracy must lie within 0 and 1");
  if (!(plan.agreement >= 0 && plan.agreement < 1))
    refuse("the agreement must be at least 0 and below 1");
  if (!(plan.between_share >= 0 && plan.between_share <= 1))
    refuse("the share between questions must lie within 0 and 1");
  if (plan.attempts < 1) refuse("there must be at least one attempt at a question");
  if (!(plan.alpha > 0 && plan.alpha < 0.5)) refuse("alpha must lie within 0 and 0.5");
  if (!(plan.power > 0.5 && plan.power < 1)) refuse("the power must lie within 0.5 and 1");
}

// Variance of one question's mean difference, each system's result being Bernoulli.
double variance(const PowerPlan& plan, double difference) {
  // The second system may lie above or below; near 1 only below is possible.
  double other = plan.accuracy + difference;
  if (other > 1) other = plan.accuracy - difference;
  const double p = plan.accuracy, q = other;
  const double bernoulli = p * (1 - p) + q * (1 - q);
  const double attempts = static_cast<double>(plan.attempts);
  return (1 - plan.agreement) * bernoulli *
         (plan.between_share + (1 - plan.between_share) / attempts);
}

std::int64_t ceil_count(double n) {
  if (!(n < 1e15)) throw Error(ErrorCode::kUsage, "no number of questions would be enough");
  return std::max<std::int64_t>(2, static_cast<std::int64_t>(std::ceil(n - 1e-9)));
}

}  // namespace

std::int64_t required_questions(const PowerPlan& plan) {
  check(plan);
  if (!(plan.difference > 0 && plan.difference <= std::max(plan.accuracy, 1 - plan.accuracy)))
    throw Error(ErrorCode::kUsage,
                "a difference must be above 0, and reachable from the accuracy given");
  const double zs = z(1 - plan.alpha / 2) + z(plan.power);
  return ceil_count(zs * zs * variance(plan, plan.difference) /
                    (plan.difference * plan.difference));
}

double detectable_difference(const PowerPlan& plan, std::int64_t questions) {
  check(plan);
  if (questions < 2) throw Error(ErrorCode::kUsage, "there must be at least two questions");
  const double zs = z(1 - plan.alpha / 2) + z(plan.power);
  double low = 0, high = std::max(plan.accuracy, 1 - plan.accuracy);
  const auto enough = [&](double d) {
    return zs * zs * variance(plan, d) <= static_cast<double>(questions) * d * d;
  };
  if (!enough(high)) return high;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (enough(middle) ? high : low) = middle;
  }
  return high;
}

std::int64_t required_questions_for_equivalence(const PowerPlan& plan, double margin) {
  check(plan);
  if (!(margin > 0 && margin < 1))
    throw Error(ErrorCode::kUsage, "a margin must lie within 0 and 1");
  const double zs = z(1 - plan.alpha) + z((1 + plan.power) / 2);
  return ceil_count(zs * zs * variance(plan, 0) / (margin * margin));
}

}  // namespace moebench
