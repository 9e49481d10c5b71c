#include "reports/statistics/repeated.h"

#include <gtest/gtest.h>

#include <boost/random/mersenne_twister.hpp>
#include <boost/random/normal_distribution.hpp>
#include <cmath>

namespace moebench {
namespace {

TEST(RepeatedRatio, ByHand) {
  // Logs 0 and 2 against 0 and 0: mean difference 1, variance of the first mean 2 / 2 = 1, of the
  // second 0, so one degree of freedom, whose 97.5 % point is 12.706.
  const double e2 = std::exp(2.0);
  const RepeatedRatio ratio = repeated_ratio(std::vector<double>{1, e2}, std::vector<double>{1, 1});
  EXPECT_NEAR(ratio.value, std::exp(1.0), 1e-12);
  EXPECT_NEAR(std::log(ratio.interval.high), 1 + 12.7062, 1e-3);
  EXPECT_NEAR(std::log(ratio.interval.low), 1 - 12.7062, 1e-3);
}

TEST(RepeatedRatio, EqualValuesHaveNoWidth) {
  const RepeatedRatio ratio =
      repeated_ratio(std::vector<double>{3, 3}, std::vector<double>{6, 6, 6});
  EXPECT_DOUBLE_EQ(ratio.value, 0.5);
  EXPECT_DOUBLE_EQ(ratio.interval.low, ratio.interval.high);
}

TEST(Known, TheIntervalOfRepeatedRunsCoversTheRatio) {
  boost::random::mt19937_64 random(5);
  boost::random::normal_distribution<double> noise(0, 0.05);
  constexpr int kDraws = 2000;
  int covered = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    std::vector<double> a, b;
    for (int i = 0; i < 6; ++i) {
      a.push_back(0.4 * std::exp(noise(random)));
      b.push_back(std::exp(noise(random)));
    }
    covered += repeated_ratio(a, b).interval.contains(0.4);
  }
  EXPECT_GE(covered / double{kDraws}, 0.94);
  EXPECT_LE(covered / double{kDraws}, 0.96);
}

}  // namespace
}  // namespace moebench
