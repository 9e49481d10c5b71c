#include "reports/gate/rank_intervals.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/base/check.h"
#include "reports/statistics/proportion.h"

namespace moebench {
namespace {

// The largest k with P(W <= k) <= tail for the signed-rank statistic W of n differences, or -1.
// P(W = w) is the number of subsets of {1..n} that add up to w, over 2^n.
std::int64_t lower_rank(std::size_t n, double tail) {
  const std::size_t most = n * (n + 1) / 2;
  std::vector<double> chance(most + 1, 0.0);
  chance[0] = 1;
  for (std::size_t rank = 1, reached = 0; rank <= n; ++rank) {
    reached += rank;
    for (std::size_t w = reached + 1; w-- > 0;)
      chance[w] = 0.5 * chance[w] + (w >= rank ? 0.5 * chance[w - rank] : 0.0);
  }
  double sum = 0;
  std::int64_t k = -1;
  for (std::size_t w = 0; w <= most; ++w) {
    sum += chance[w];
    if (sum > tail) break;
    k = static_cast<std::int64_t>(w);
  }
  return k;
}

// The same for the Mann-Whitney statistic of n and m values: of all choices of n among n + m ranks,
// how many have which rank sum.
std::int64_t lower_rank_of_two(std::size_t n, std::size_t m, double tail) {
  const auto a = static_cast<double>(n), b = static_cast<double>(m);
  if (n > 50 && m > 50) {
    const double sigma = std::sqrt(a * b * (a + b + 1) / 12);
    const double k = a * b / 2 - two_sided_z(1 - 2 * tail) * sigma - 0.5;
    return k < 0 ? -1 : static_cast<std::int64_t>(k);
  }
  const std::size_t small = std::min(n, m), total = n + m, most = n * m;
  // (chosen so far, rank sum above the least possible); counts; doubles hold those of 100 values.
  std::vector<std::vector<double>> chance(small + 1, std::vector<double>(most + 1, 0.0));
  chance[0][0] = 1;
  for (std::size_t rank = 1; rank <= total; ++rank) {
    for (std::size_t chosen = std::min(small, rank); chosen > 0; --chosen) {
      if (rank < chosen) continue;
      const std::size_t above = rank - chosen;  // what this rank adds above the least sum
      for (std::size_t u = above; u <= most; ++u)
        chance[chosen][u] += chance[chosen - 1][u - above];
    }
  }
  double all = 0;
  for (const double ways : chance[small]) all += ways;
  double sum = 0;
  std::int64_t k = -1;
  for (std::size_t u = 0; u <= most; ++u) {
    sum += chance[small][u] / all;
    if (sum > tail) break;
    k = static_cast<std::int64_t>(u);
  }
  return k;
}

RankEstimate from_sorted(const std::vector<double>& sorted, std::int64_t k) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::size_t count = sorted.size();
  RankEstimate estimate;
  estimate.value = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
  estimate.interval = {-kInfinity, kInfinity};
  if (k >= 0) {
    const auto rank = static_cast<std::size_t>(k);
    estimate.interval = {sorted[rank], sorted[count - 1 - rank]};
  }
  return estimate;
}

}  // namespace

RankEstimate signed_rank_interval(std::span<const double> differences, double tail) {
  const std::size_t n = differences.size();
  MOEBENCH_CHECK(n >= 1 && n <= 1000 && tail > 0 && tail < 0.5);
  std::vector<double> means;
  means.reserve(n * (n + 1) / 2);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i; j < n; ++j) means.push_back((differences[i] + differences[j]) / 2);
  std::sort(means.begin(), means.end());
  return from_sorted(means, lower_rank(n, tail));
}

RankEstimate rank_sum_interval(std::span<const double> a, std::span<const double> b, double tail) {
  MOEBENCH_CHECK(!a.empty() && !b.empty() && a.size() <= 1000 && b.size() <= 1000 && tail > 0 &&
                 tail < 0.5);
  std::vector<double> differences;
  differences.reserve(a.size() * b.size());
  for (const double x : a)
    for (const double y : b) differences.push_back(y - x);
  std::sort(differences.begin(), differences.end());
  return from_sorted(differences, lower_rank_of_two(a.size(), b.size(), tail));
}

}  // namespace moebench
