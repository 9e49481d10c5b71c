#include "reports/statistics/multiple.h"

#include <algorithm>
#include <numeric>

namespace moebench {

std::vector<double> holm_adjusted(const std::vector<double>& p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double highest = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const double p = static_cast<double>(order.size() - rank) * p_values[order[rank]];
    highest = std::min(1.0, std::max(highest, p));
    adjusted[order[rank]] = highest;
  }
  return adjusted;
}

}  // namespace moebench
