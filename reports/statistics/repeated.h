#pragma once

#include <span>

#include "reports/statistics/interval.h"

namespace moebench {

/// One figure of two machines or models, measured several times each (whole runs, not questions):
/// the ratio of their geometric means and its interval.
struct RepeatedRatio {
  double value = 1;
  Interval interval;
};

/// Welch's t interval on the logarithms (Welch 1947, Biometrika 34:28; degrees of freedom by
/// Satterthwaite). It holds what changes from run to run. Needs at least two positive values a
/// side; the interval is the value alone where no value differs from its side's others.
RepeatedRatio repeated_ratio(std::span<const double> a, std::span<const double> b,
                             double confidence = kDefaultConfidence);

}  // namespace moebench
