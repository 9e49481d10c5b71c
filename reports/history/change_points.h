#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "reports/statistics/bootstrap.h"

namespace moebench {

/// Where a series changes its level (or its spread): index of the first value after the change.
struct ChangePoint {
  std::size_t index = 0;
  double p = 1;                  ///< of the permutation test that accepted it
  double before = 0, after = 0;  ///< medians of the two neighbouring segments
};

struct ChangePointOptions {
  double alpha = 0.01;
  int permutations = 999;
  std::size_t least_segment = 3;  ///< values on each side of a change
  std::uint64_t seed = kBootstrapSeed;
};

/// E-divisive (Matteson & James 2014, J. Am. Stat. Assoc. 109:334, sections 2 and 3): the split
/// that maximises the energy statistic between the two sides (exponent 1), accepted where a
/// permutation test within the segments found so far gives p <= alpha, then again inside the parts.
/// Ascending by index. At most 10,000 values; fewer than 2 * least_segment have no change.
std::vector<ChangePoint> find_change_points(std::span<const double> series,
                                            const ChangePointOptions& options = {});

}  // namespace moebench
