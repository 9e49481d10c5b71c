#pragma once

#include "reports/statistics/paired.h"
#include "reports/statistics/proportion.h"

namespace moebench {

/// b - a of two independent sets of questions. The interval is Newcombe's; standard error and tests
/// take the pooled-free normal approximation from the two estimates' own (clustered) errors at
/// their effective numbers of trials, after adding one success and one failure to each (Agresti &
/// Caffo 2000, Am. Stat. 54:280).
DifferenceEstimate unpaired_difference(const ProportionEstimate& a, const ProportionEstimate& b);

/// Two-sided p that a and b have the same accuracy, from that estimate.
double unpaired_p(const DifferenceEstimate& difference);

}  // namespace moebench
