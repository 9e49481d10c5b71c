#include "reports/statistics/percentile.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/base/check.h"

namespace moebench {

double percentile_of_sorted(const std::vector<double>& sorted, double percent) {
  MOEBENCH_CHECK(!sorted.empty() && percent >= 0 && percent <= 100);
  const double rank = percent / 100 * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(rank);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], rank - static_cast<double>(below));
}

Distribution describe(std::vector<double> values) {
  Distribution d;
  if (values.empty()) return d;
  std::sort(values.begin(), values.end());
  d.count = values.size();
  d.mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(d.count);
  d.min = values.front();
  d.max = values.back();
  d.p50 = percentile_of_sorted(values, 50);
  d.p90 = percentile_of_sorted(values, 90);
  d.p99 = percentile_of_sorted(values, 99);
  return d;
}

}  // namespace moebench
