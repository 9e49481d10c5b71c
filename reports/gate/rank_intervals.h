#pragma once

#include <span>

#include "reports/statistics/interval.h"

namespace moebench {

/// Where differences lie, without assuming a distribution.
struct RankEstimate {
  double value = 0;   ///< Hodges-Lehmann: the median of all pairwise means
  Interval interval;  ///< each end is passed with probability at most `tail`; infinite where there
                      ///< are too few differences for that
};

/// The exact permutation interval of Wilcoxon's signed-rank test (Hodges & Lehmann 1963, Ann. Math.
/// Stat. 34:598; Hollander & Wolfe, Nonparametric Statistical Methods, section 3.2): the ends are
/// order statistics of the pairwise means, chosen from the exact null distribution. It needs only
/// that each difference is as likely to lie above its centre as below by any amount, which pairs
/// measured in alternating order have by construction; heavy tails don't matter.
/// 1 to 1000 differences; 0 < tail < 0.5.
RankEstimate signed_rank_interval(std::span<const double> differences, double tail);

/// The same for two independent samples: how much larger b is than a (Hodges & Lehmann 1963, with
/// the exact null distribution of the rank sum of Mann & Whitney 1947; the normal approximation
/// where both hold more than 50). It needs that a and b have one shape; heavy tails don't matter.
RankEstimate rank_sum_interval(std::span<const double> a, std::span<const double> b, double tail);

}  // namespace moebench
