#include "reports/history/change_points.h"

#include <algorithm>
#include <boost/random/mersenne_twister.hpp>
#include <cmath>

#include "engine/base/check.h"

namespace moebench {
namespace {

struct Split {
  std::size_t at = 0;  ///< first index of the right side, from the segment's begin
  double statistic = -1;
};

// The best split of a segment. With S_l, S_r the sums of |x_i - x_j| within the two sides and S_c
// across them, the energy statistic is q = (m n / (m + n)) (2 S_c / (m n) - S_l / C(m, 2) -
// S_r / C(n, 2)). Moving one value across updates the three sums in O(n), so a segment costs
// O(n^2).
Split best_split(const std::vector<double>& values, std::size_t least) {
  const std::size_t n = values.size();
  Split best;
  if (n < 2 * least) return best;
  double left = 0, right = 0, across = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i + 1; j < n; ++j) right += std::fabs(values[i] - values[j]);
  for (std::size_t m = 1; m < n; ++m) {
    const double moved = values[m - 1];
    double to_left = 0, to_right = 0;
    for (std::size_t i = 0; i + 1 < m; ++i) to_left += std::fabs(values[i] - moved);
    for (std::size_t i = m; i < n; ++i) to_right += std::fabs(values[i] - moved);
    left += to_left;
    right -= to_right;
    across += to_right - to_left;
    if (m < least || n - m < least) continue;
    const auto a = static_cast<double>(m), b = static_cast<double>(n - m);
    const double within_left = m > 1 ? left / (a * (a - 1) / 2) : 0;
    const double within_right = n - m > 1 ? right / (b * (b - 1) / 2) : 0;
    const double q = a * b / (a + b) * (2 * across / (a * b) - within_left - within_right);
    if (q > best.statistic) best = {m, q};
  }
  return best;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

std::vector<double> part(std::span<const double> series, std::size_t begin, std::size_t end) {
  return {series.begin() + static_cast<std::ptrdiff_t>(begin),
          series.begin() + static_cast<std::ptrdiff_t>(end)};
}

void shuffle(std::vector<double>& values, boost::random::mt19937_64& engine) {
  for (std::size_t i = values.size(); i > 1; --i)
    std::swap(values[i - 1], values[static_cast<std::size_t>(engine() % i)]);
}

}  // namespace

std::vector<ChangePoint> find_change_points(std::span<const double> series,
                                            const ChangePointOptions& options) {
  MOEBENCH_CHECK(series.size() <= 10'000 && options.least_segment >= 2 && options.permutations > 0);
  boost::random::mt19937_64 engine(options.seed);
  std::vector<std::size_t> bounds = {0, series.size()};
  std::vector<ChangePoint> changes;
  for (;;) {
    Split best;
    std::size_t where = 0;
    for (std::size_t s = 0; s + 1 < bounds.size(); ++s) {
      const Split split = best_split(part(series, bounds[s], bounds[s + 1]), options.least_segment);
      if (split.statistic > best.statistic) {
        best = split;
        where = bounds[s];
      }
    }
    if (best.statistic <= 0) break;
    // Under no further change, values are exchangeable within each segment.
    int as_large = 0;
    for (int p = 0; p < options.permutations; ++p) {
      double largest = -1;
      for (std::size_t s = 0; s + 1 < bounds.size(); ++s) {
        std::vector<double> values = part(series, bounds[s], bounds[s + 1]);
        shuffle(values, engine);
        largest = std::max(largest, best_split(values, options.least_segment).statistic);
      }
      if (largest >= best.statistic) ++as_large;
    }
    const double p = (as_large + 1.0) / (options.permutations + 1.0);
    if (p > options.alpha) break;
    const std::size_t at = where + best.at;
    changes.push_back({at, p, 0, 0});
    bounds.insert(std::lower_bound(bounds.begin(), bounds.end(), at), at);
  }
  std::sort(changes.begin(), changes.end(),
            [](const ChangePoint& a, const ChangePoint& b) { return a.index < b.index; });
  for (std::size_t i = 0; i < changes.size(); ++i) {
    changes[i].before = median(part(series, bounds[i], bounds[i + 1]));
    changes[i].after = median(part(series, bounds[i + 1], bounds[i + 2]));
  }
  return changes;
}

}  // namespace moebench
