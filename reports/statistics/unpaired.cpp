#include "reports/statistics/unpaired.h"

#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <limits>

namespace moebench {

DifferenceEstimate unpaired_difference(const ProportionEstimate& a, const ProportionEstimate& b) {
  DifferenceEstimate estimate;
  estimate.value = b.value - a.value;
  estimate.interval = difference_interval(b, a);
  estimate.degrees = std::numeric_limits<double>::infinity();
  const auto adjusted = [](const ProportionEstimate& p) {
    return (p.value * p.effective_trials + 1) / (p.effective_trials + 2);
  };
  const double p = adjusted(a), q = adjusted(b);
  estimate.center = q - p;
  estimate.standard_error =
      std::sqrt(p * (1 - p) / (a.effective_trials + 2) + q * (1 - q) / (b.effective_trials + 2));
  return estimate;
}

double unpaired_p(const DifferenceEstimate& difference) {
  if (!(difference.standard_error > 0)) return 1;
  const double z = std::fabs(difference.center) / difference.standard_error;
  return 2 * boost::math::cdf(boost::math::complement(boost::math::normal(), z));
}

}  // namespace moebench
