#include <gtest/gtest.h>

#include <boost/random/mersenne_twister.hpp>
#include <boost/random/uniform_01.hpp>
#include <vector>

#include "engine/base/error.h"
#include "reports/statistics/attempts.h"
#include "reports/statistics/multiple.h"
#include "reports/statistics/paired.h"
#include "reports/statistics/power.h"

namespace moebench {
namespace {

// Sorted 0.005 * 4, 0.01 * 3, 0.03 * 2, 0.04 * 1, then never falling.
TEST(Holm, ByHand) {
  const std::vector<double> adjusted = holm_adjusted({0.01, 0.04, 0.03, 0.005});
  const std::vector<double> expected = {0.03, 0.06, 0.06, 0.02};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(adjusted[i], expected[i], 1e-12);
  EXPECT_EQ(holm_adjusted({0.7, 0.9})[1], 1);
  EXPECT_TRUE(holm_adjusted({}).empty());
}

TEST(Known, HolmKeepsTheChanceOfAnyFalseFinding) {
  boost::random::mt19937_64 random(31);
  boost::random::uniform_01<> uniform;
  constexpr int kDraws = 2000;
  int any = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    std::vector<double> p(10);
    for (double& value : p) value = uniform(random);
    bool found = false;
    for (const double value : holm_adjusted(p)) found = found || value < 0.05;
    any += found;
  }
  EXPECT_NEAR(any / double{kDraws}, 0.05, 0.012);
}

// (1.959964 + 0.841621)^2 (0.25 + 0.24) / 0.01 = 384.6: the textbook's 385 a group for 50 against
// 60 %.
TEST(Power, AgreesWithTheTextbook) {
  EXPECT_EQ(required_questions({.accuracy = 0.5, .difference = 0.1, .agreement = 0}), 385);
  EXPECT_EQ(required_questions({.accuracy = 0.5, .difference = 0.1, .agreement = 0.5}), 193);
}

TEST(Power, MoreAttemptsHelpOnlyWithinQuestions) {
  PowerPlan plan{.accuracy = 0.6, .difference = 0.03};
  const auto once = required_questions(plan);
  plan.attempts = 8;
  EXPECT_EQ(required_questions(plan), once) << "attempts that always end alike add nothing";
  plan.between_share = 0.5;
  EXPECT_LT(required_questions(plan), once);
}

TEST(Power, TheDetectableDifferenceIsItsInverse) {
  const PowerPlan plan{.accuracy = 0.6, .difference = 0.04};
  EXPECT_NEAR(detectable_difference(plan, required_questions(plan)), 0.04, 1e-4);
}

TEST(Power, NonsenseIsRefused) {
  EXPECT_THROW(required_questions({.accuracy = 1.4}), Error);
  EXPECT_THROW(required_questions({.difference = 0}), Error);
  EXPECT_THROW(required_questions({.accuracy = 0.5, .difference = 0.9}), Error);
  EXPECT_THROW(required_questions({.agreement = 1}), Error);
  EXPECT_THROW(required_questions({.attempts = 0}), Error);
}

TEST(Known, ThePlannedNumberOfQuestionsFindsTheDifferenceAsOftenAsPromised) {
  boost::random::mt19937_64 random(32);
  boost::random::uniform_01<> uniform;
  const auto questions = required_questions({.accuracy = 0.5, .difference = 0.1, .agreement = 0});
  constexpr int kDraws = 2000;
  int found = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    DiscordantCounts counts;
    for (std::int64_t q = 0; q < questions; ++q) {
      const bool a = uniform(random) < 0.5, b = uniform(random) < 0.6;
      counts.only_a += a && !b;
      counts.only_b += b && !a;
    }
    found += mcnemar_mid_p(counts.only_a, counts.only_b) < 0.05;
  }
  EXPECT_NEAR(found / double{kDraws}, 0.8, 0.03);
}

// Chen et al. 2021: 1 - C(7, 5) / C(10, 5) = 1 - 21 / 252.
TEST(PassAtK, ByHand) {
  EXPECT_NEAR(pass_at_k(10, 3, 5), 1 - 21.0 / 252, 1e-12);
  EXPECT_NEAR(pass_at_k(10, 3, 1), 0.3, 1e-12);
  EXPECT_EQ(pass_at_k(4, 0, 4), 0);
  EXPECT_EQ(pass_at_k(4, 1, 4), 1);
}

TEST(MajorityAtK, VotesAndBreaksTiesEvenly) {
  const std::vector<VotedAnswer> answers = {{0, true}, {0, true}, {1, false}, {-1, false}};
  EXPECT_DOUBLE_EQ(majority_at_k(answers, 4), 1);
  // One drawn: right with 2 of 4. Two drawn, six ways: 00 right; 0 and 1 tie, four ways a half (two
  // with each 0); 0 and none right, twice; 1 and none wrong.
  EXPECT_DOUBLE_EQ(majority_at_k(answers, 1), 0.5);
  EXPECT_DOUBLE_EQ(majority_at_k(answers, 2), (1 + 2 * 0.5 + 2) / 6.0);
  EXPECT_DOUBLE_EQ(majority_at_k(std::vector<VotedAnswer>{{-1, false}, {-1, false}}, 2), 0);
}

TEST(MajorityAtK, RandomDrawsAgreeWithTheirExpectation) {
  std::vector<VotedAnswer> answers;
  for (int i = 0; i < 64; ++i) answers.push_back({i < 40 ? 0 : 1, i < 40});
  // Hypergeometric: P(at least 4 of 7 right), 40 right and 24 wrong.
  const auto choose = [](double n, int k) {
    double value = 1;
    for (int i = 0; i < k; ++i) value *= (n - i) / (i + 1);
    return value;
  };
  double exact = 0;
  for (int right = 4; right <= 7; ++right)
    exact += choose(40, right) * choose(24, 7 - right) / choose(64, 7);
  EXPECT_NEAR(majority_at_k(answers, 7), exact, 0.02);
}

}  // namespace
}  // namespace moebench
