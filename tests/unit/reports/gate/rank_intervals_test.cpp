#include "reports/gate/rank_intervals.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace moebench {
namespace {

// P(W <= k) for n differences by trying all signs.
double signed_rank_chance(int n, int k) {
  int fitting = 0;
  for (int signs = 0; signs < 1 << n; ++signs) {
    int sum = 0;
    for (int i = 0; i < n; ++i)
      if (signs >> i & 1) sum += i + 1;
    fitting += sum <= k ? 1 : 0;
  }
  return static_cast<double>(fitting) / (1 << n);
}

TEST(SignedRankInterval, EndsAreTheOrderStatisticsOfTheExactTest) {
  // Powers of two: all pairwise means differ, so the rank of each end is known.
  std::vector<double> values;
  for (int i = 0; i < 8; ++i) values.push_back(std::ldexp(1.0, i));
  std::vector<double> means;
  for (std::size_t i = 0; i < values.size(); ++i)
    for (std::size_t j = i; j < values.size(); ++j) means.push_back((values[i] + values[j]) / 2);
  std::sort(means.begin(), means.end());
  for (int k = 0; k < 8; ++k) {
    const double exact = signed_rank_chance(8, k), next = signed_rank_chance(8, k + 1);
    const RankEstimate estimate = signed_rank_interval(values, (exact + next) / 2);
    EXPECT_DOUBLE_EQ(estimate.interval.low, means[static_cast<std::size_t>(k)]) << "k = " << k;
    EXPECT_DOUBLE_EQ(estimate.interval.high, means[means.size() - 1 - static_cast<std::size_t>(k)]);
  }
}

TEST(SignedRankInterval, IsUnboundedWhereTooFewValuesCanTell) {
  const std::vector<double> values(7, 0.5);
  EXPECT_TRUE(std::isinf(signed_rank_interval(values, 1.0 / 256).interval.low));  // < 2^-7
  EXPECT_DOUBLE_EQ(signed_rank_interval(values, 1.0 / 100).interval.low, 0.5);
}

TEST(SignedRankInterval, EstimateIsTheHodgesLehmannMedian) {
  // Pairwise means of 1, 2, 10: 1, 1.5, 2, 5.5, 6, 10; an outlier moves it little.
  EXPECT_DOUBLE_EQ(signed_rank_interval(std::vector<double>{1, 2, 10}, 0.2).value, 3.75);
}

TEST(SignedRankInterval, HoldsTheTruthAsOftenAsItSays) {
  // Cauchy noise: no mean, no variance, but symmetric.
  std::mt19937_64 random(7);
  std::cauchy_distribution<double> noise(0, 1);
  constexpr int kTrials = 4000;
  int missed = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> values;
    for (int i = 0; i < 20; ++i) values.push_back(3 + noise(random));
    missed += signed_rank_interval(values, 0.025).interval.contains(3) ? 0 : 1;
  }
  EXPECT_LT(missed, 0.055 * kTrials);
  EXPECT_GT(missed, 0.035 * kTrials);  // exact, so not much wider than it must be
}

TEST(RankSumInterval, MatchesTheTestOfSmallSamples) {
  // 3 and 3: P(U = 0) = 1 / 20, P(U <= 1) = 2 / 20.
  const std::vector<double> a = {1, 2, 4}, b = {108, 116, 132};
  const RankEstimate widest = rank_sum_interval(a, b, 0.05);
  EXPECT_DOUBLE_EQ(widest.interval.low, 104);
  EXPECT_DOUBLE_EQ(widest.interval.high, 131);
  EXPECT_DOUBLE_EQ(rank_sum_interval(a, b, 0.10).interval.low, 106);
  EXPECT_TRUE(std::isinf(rank_sum_interval(a, b, 0.04).interval.low));
}

TEST(RankSumInterval, HoldsTheTruthAsOftenAsItSays) {
  std::mt19937_64 random(8);
  std::cauchy_distribution<double> noise(0, 1);
  constexpr int kTrials = 2000;
  for (const int n : {9, 60}) {  // exact, and the normal approximation
    int missed = 0;
    for (int trial = 0; trial < kTrials; ++trial) {
      std::vector<double> a, b;
      for (int i = 0; i < n; ++i) a.push_back(noise(random));
      for (int i = 0; i < n; ++i) b.push_back(5 + noise(random));
      missed += rank_sum_interval(a, b, 0.025).interval.contains(5) ? 0 : 1;
    }
    EXPECT_LT(missed, 0.065 * kTrials) << n;
    EXPECT_GT(missed, 0.030 * kTrials) << n;
  }
}

}  // namespace
}  // namespace moebench
