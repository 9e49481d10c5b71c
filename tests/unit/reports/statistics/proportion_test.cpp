#include "reports/statistics/proportion.h"

#include <gtest/gtest.h>

#include <boost/random/beta_distribution.hpp>
#include <boost/random/mersenne_twister.hpp>
#include <boost/random/uniform_01.hpp>

namespace moebench {
namespace {

// Wilson 1927; the figures are those of Newcombe 1998 (Stat. Med. 17:857), table I, method 3.
TEST(WilsonInterval, AgreesWithNewcombesTable) {
  const Interval a = wilson_interval(81, 263);
  EXPECT_NEAR(a.low, 0.2553, 5e-5);
  EXPECT_NEAR(a.high, 0.3662, 5e-5);
  const Interval b = wilson_interval(15, 148);
  EXPECT_NEAR(b.low, 0.0624, 5e-5);
  EXPECT_NEAR(b.high, 0.1605, 5e-5);
  const Interval c = wilson_interval(0, 20);
  EXPECT_EQ(c.low, 0);
  EXPECT_NEAR(c.high, 0.1611, 5e-5);
  const Interval d = wilson_interval(1, 29);
  EXPECT_NEAR(d.low, 0.0061, 5e-5);
  EXPECT_NEAR(d.high, 0.1718, 5e-5);
}

TEST(WilsonInterval, AllCorrectReachesOneAndNothingKnowsNothing) {
  EXPECT_EQ(wilson_interval(20, 20).high, 1);
  EXPECT_EQ(wilson_interval(0, 0).low, 0);
  EXPECT_EQ(wilson_interval(0, 0).high, 1);
}

// By hand: attempts (2 of 2, 0 of 2, 1 of 2): p = 1/2, residuals 1, -1, 0; SE = sqrt(3/2 * 2) / 6.
TEST(EstimateProportion, ClusteredStandardErrorByHand) {
  const std::vector<QuestionCount> questions = {{2, 2}, {0, 2}, {1, 2}};
  const ProportionEstimate estimate = estimate_proportion(questions);
  EXPECT_TRUE(estimate.clustered);
  EXPECT_DOUBLE_EQ(estimate.value, 0.5);
  EXPECT_NEAR(estimate.standard_error, std::sqrt(3.0) / 6, 1e-12);
}

TEST(EstimateProportion, IdenticalAttemptsAreWorthOneAttemptEach) {
  std::vector<QuestionCount> once, eight_times;
  for (int i = 0; i < 100; ++i) {
    once.push_back({i % 3 == 0, 1});
    eight_times.push_back({i % 3 == 0 ? 8 : 0, 8});
  }
  const Interval a = estimate_proportion(once).interval,
                 b = estimate_proportion(eight_times).interval;
  EXPECT_NEAR(a.low, b.low, 0.002);
  EXPECT_NEAR(a.high, b.high, 0.002);
}

// Newcombe 1998 (Stat. Med. 17:873), table II, case (a) 56/70 against 48/80, method 10.
TEST(DifferenceInterval, AgreesWithNewcombesTable) {
  const std::vector<QuestionCount> none;
  ProportionEstimate a, b;
  a.value = 56.0 / 70;
  a.interval = wilson_interval(56, 70);
  b.value = 48.0 / 80;
  b.interval = wilson_interval(48, 80);
  const Interval d = difference_interval(a, b);
  EXPECT_NEAR(d.low, 0.0524, 5e-5);
  EXPECT_NEAR(d.high, 0.3339, 5e-5);
}

// Known truth: of 2,000 draws, the share of 95 % intervals that hold it must be 94 to 96 %.
double coverage(double alpha, double beta, int questions, int attempts, std::uint64_t seed) {
  boost::random::mt19937_64 random(seed);
  boost::random::beta_distribution<> ability(alpha, beta);
  boost::random::uniform_01<> uniform;
  const double truth = alpha / (alpha + beta);
  int held = 0;
  for (int draw = 0; draw < 2000; ++draw) {
    std::vector<QuestionCount> counts;
    for (int q = 0; q < questions; ++q) {
      const double p = ability(random);
      QuestionCount count{0, attempts};
      for (int k = 0; k < attempts; ++k) count.correct += uniform(random) < p;
      counts.push_back(count);
    }
    held += estimate_proportion(counts).interval.contains(truth);
  }
  return held / 2000.0;
}

TEST(EstimateProportion, IntervalsHoldTheTruthAsOftenAsTheySay) {
  struct Case {
    double alpha, beta;
    int questions, attempts;
  };
  for (const Case& c : {Case{600, 400, 200, 1}, Case{3, 7, 150, 1}, Case{0.6, 0.4, 200, 4},
                        Case{2, 3, 300, 8}, Case{5, 1, 200, 4}}) {
    const double share = coverage(c.alpha, c.beta, c.questions, c.attempts, 7);
    EXPECT_GE(share, 0.94) << c.alpha << " " << c.beta << " " << c.questions << " " << c.attempts;
    EXPECT_LE(share, 0.96) << c.alpha << " " << c.beta << " " << c.questions << " " << c.attempts;
  }
}

}  // namespace
}  // namespace moebench
