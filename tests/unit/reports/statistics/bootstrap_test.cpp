#include "reports/statistics/bootstrap.h"

#include <gtest/gtest.h>

#include <boost/random/mersenne_twister.hpp>
#include <boost/random/uniform_01.hpp>
#include <cmath>
#include <vector>

namespace moebench {
namespace {

// A question's cost and whether its answer was right: the harder ones cost more.
std::vector<RatioTerm> draw_questions(boost::random::mt19937_64& random, int count, double scale) {
  boost::random::uniform_01<> uniform;
  std::vector<RatioTerm> terms;
  for (int q = 0; q < count; ++q) {
    const double hardness = uniform(random);
    const double cost = scale * (1 + 2 * hardness) * (0.5 + uniform(random));
    terms.push_back({cost, uniform(random) < 0.9 - 0.5 * hardness ? 1.0 : 0.0});
  }
  return terms;
}
constexpr double kTrueRatio = 2.0 / 0.65;  // E[cost] / P(correct) at scale 1

TEST(Bootstrap, TheSameSeedGivesTheSameInterval) {
  boost::random::mt19937_64 random(1);
  const auto terms = draw_questions(random, 100, 1);
  const Interval a = bootstrap_ratio(terms), b = bootstrap_ratio(terms);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_NE(bootstrap_ratio(terms, {.seed = 5}).low, a.low);
}

TEST(Bootstrap, EqualQuestionsLeaveNoDoubt) {
  const std::vector<RatioTerm> terms(50, {3, 1});
  EXPECT_DOUBLE_EQ(bootstrap_ratio(terms).low, 3);
  EXPECT_DOUBLE_EQ(bootstrap_ratio(terms).high, 3);
  EXPECT_DOUBLE_EQ(bootstrap_ratio_of_ratios(terms, terms).high, 1);
}

TEST(Bootstrap, HardlyAnyCorrectAnswerIsOpenAbove) {
  std::vector<RatioTerm> terms(50, {1, 0});
  terms[0].denominator = 1;
  EXPECT_TRUE(std::isinf(bootstrap_ratio(terms).high));
  EXPECT_TRUE(std::isinf(bootstrap_ratio(std::vector<RatioTerm>{{1, 1}}).high))
      << "one question tells nothing about another";
}

TEST(Known, CostPerCorrectAnswerIntervalsHoldTheTruth) {
  boost::random::mt19937_64 random(21);
  constexpr int kDraws = 2000;
  int ratio = 0;
  for (int draw = 0; draw < kDraws; ++draw)
    ratio +=
        bootstrap_ratio(draw_questions(random, 120, 1), {.resamples = 300}).contains(kTrueRatio);
  EXPECT_GE(ratio / double{kDraws}, 0.94);
  EXPECT_LE(ratio / double{kDraws}, 0.96);
}

TEST(Known, RatioOfCostsIntervalsHoldTheTruth) {
  boost::random::mt19937_64 random(22);
  constexpr int kDraws = 2000;
  int paired = 0, unpaired = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    const auto a = draw_questions(random, 100, 1), b = draw_questions(random, 100, 4);
    paired += bootstrap_ratio_of_ratios(a, b, {.resamples = 200}).contains(0.25);
    unpaired += bootstrap_unpaired_ratio_of_ratios(a, b, {.resamples = 200}).contains(0.25);
  }
  EXPECT_GE(paired / double{kDraws}, 0.94);
  EXPECT_LE(paired / double{kDraws}, 0.96);
  EXPECT_GE(unpaired / double{kDraws}, 0.94);
  EXPECT_LE(unpaired / double{kDraws}, 0.96);
}

}  // namespace
}  // namespace moebench
