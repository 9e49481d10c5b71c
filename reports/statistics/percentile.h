#pragma once

#include <cstddef>
#include <vector>

namespace moebench {

/// The value at `percent` (0 to 100) of ascending values, linearly interpolated between the two
/// neighbours of rank percent/100 * (n - 1), as numpy.percentile does by default and vLLM's
/// benchmarks with it. `sorted` must not be empty.
double percentile_of_sorted(const std::vector<double>& sorted, double percent);

struct Distribution {
  std::size_t count = 0;
  double mean = 0, min = 0, p50 = 0, p90 = 0, p99 = 0, max = 0;
};

/// All zero with count 0 for no values.
Distribution describe(std::vector<double> values);

}  // namespace moebench
