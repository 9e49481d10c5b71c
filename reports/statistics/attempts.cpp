#include "reports/statistics/attempts.h"

#include <algorithm>
#include <boost/random/mersenne_twister.hpp>
#include <boost/random/uniform_int_distribution.hpp>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include "engine/base/check.h"
#include "reports/statistics/bootstrap.h"

namespace moebench {
namespace {

// The chance that the majority of the chosen attempts is right: 1, 0, or a tie's share.
double majority_score(std::span<const VotedAnswer> attempts, std::span<const std::size_t> chosen) {
  std::map<int, std::pair<int, bool>> votes;
  int most = 0;
  for (const std::size_t index : chosen) {
    const VotedAnswer& answer = attempts[index];
    if (answer.cluster < 0) continue;
    auto& vote = votes[answer.cluster];
    most = std::max(most, ++vote.first);
    vote.second = vote.second || answer.correct;
  }
  double winners = 0, right = 0;
  for (const auto& [cluster, vote] : votes)
    if (vote.first == most) {
      ++winners;
      right += vote.second;
    }
  return winners > 0 ? right / winners : 0;
}

}  // namespace

double pass_at_k(std::int64_t attempts, std::int64_t correct, std::int64_t k) {
  MOEBENCH_CHECK(k >= 1 && k <= attempts && correct >= 0 && correct <= attempts);
  if (attempts - correct < k) return 1;
  double none = 1;
  for (std::int64_t i = attempts - correct + 1; i <= attempts; ++i)
    none *= 1 - static_cast<double>(k) / static_cast<double>(i);
  return 1 - none;
}

double majority_at_k(std::span<const VotedAnswer> attempts, std::int64_t k) {
  MOEBENCH_CHECK(k >= 1 && k <= static_cast<std::int64_t>(attempts.size()));
  const std::size_t n = attempts.size(), size = static_cast<std::size_t>(k);
  std::vector<std::size_t> chosen(size);
  std::iota(chosen.begin(), chosen.end(), std::size_t{0});
  if (size == n) return majority_score(attempts, chosen);
  double combinations = 1;
  for (std::size_t i = 0; i < size; ++i)
    combinations *= static_cast<double>(n - i) / static_cast<double>(i + 1);
  if (combinations <= 5000.5) {
    double sum = 0, count = 0;
    while (true) {
      sum += majority_score(attempts, chosen);
      ++count;
      // The next combination in lexicographic order.
      std::size_t at = size;
      while (at > 0 && chosen[at - 1] == n - size + at - 1) --at;
      if (at == 0) break;
      ++chosen[at - 1];
      for (std::size_t i = at; i < size; ++i) chosen[i] = chosen[i - 1] + 1;
    }
    return sum / count;
  }
  boost::random::mt19937_64 random(kBootstrapSeed);
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  constexpr int kDraws = 4000;
  double sum = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    for (std::size_t i = 0; i < size; ++i)
      std::swap(order[i],
                order[boost::random::uniform_int_distribution<std::size_t>(i, n - 1)(random)]);
    sum += majority_score(attempts, std::span(order).first(size));
  }
  return sum / kDraws;
}

}  // namespace moebench
