#include "reports/statistics/paired.h"

#include <gtest/gtest.h>

#include <boost/random/mersenne_twister.hpp>
#include <boost/random/uniform_01.hpp>
#include <cmath>
#include <vector>

#include "reports/statistics/unpaired.h"

namespace moebench {
namespace {

std::vector<PairedScore> table(int only_a, int only_b, int both, int neither) {
  std::vector<PairedScore> scores;
  scores.insert(scores.end(), static_cast<std::size_t>(only_a), {1, 0});
  scores.insert(scores.end(), static_cast<std::size_t>(only_b), {0, 1});
  scores.insert(scores.end(), static_cast<std::size_t>(both), {1, 1});
  scores.insert(scores.end(), static_cast<std::size_t>(neither), {0, 0});
  return scores;
}

// P(X <= 2), X ~ B(10, 1/2) = (1 + 10 + 45) / 1024.
TEST(McNemar, ByHand) {
  EXPECT_NEAR(mcnemar_exact_p(2, 8), 2 * 56.0 / 1024, 1e-12);
  EXPECT_NEAR(mcnemar_exact_p(8, 2), 2 * 56.0 / 1024, 1e-12);
  EXPECT_NEAR(mcnemar_mid_p(2, 8), (2 * 56.0 - 45) / 1024, 1e-12);
  EXPECT_DOUBLE_EQ(mcnemar_exact_p(4, 4), 1);
  EXPECT_DOUBLE_EQ(mcnemar_exact_p(0, 0), 1);
}

TEST(PairedPermutation, EqualsMcNemarOnSingleAttempts) {
  EXPECT_NEAR(paired_permutation_p(table(2, 8, 50, 20)), mcnemar_exact_p(2, 8), 1e-12);
  EXPECT_NEAR(paired_permutation_p(table(10, 25, 50, 20)), mcnemar_exact_p(10, 25), 0.005)
      << "the random one must agree with the exact one within its own noise";
  EXPECT_DOUBLE_EQ(paired_permutation_p(table(0, 0, 5, 5)), 1);
}

TEST(PairedPermutation, TheSameSeedGivesTheSameP) {
  const auto scores = table(20, 30, 10, 10);
  EXPECT_EQ(paired_permutation_p(scores), paired_permutation_p(scores));
}

// Bonett & Price: ((8+1) - (2+1)) / 102 and sqrt((p + q - (p - q)^2) / 102), p = 9/102, q = 3/102.
TEST(PairedDifference, BonettPriceByHand) {
  const DifferenceEstimate d = paired_difference(table(2, 8, 70, 20));
  const double p = 9.0 / 102, q = 3.0 / 102;
  EXPECT_DOUBLE_EQ(d.value, 0.06);
  EXPECT_NEAR(d.center, p - q, 1e-12);
  EXPECT_NEAR(d.standard_error, std::sqrt((p + q - (p - q) * (p - q)) / 102), 1e-12);
  EXPECT_NEAR(d.interval.high - d.interval.low, 2 * 1.959964 * d.standard_error, 1e-6);
}

TEST(PairedDifference, NeverDisagreeingIsNoCertainty) {
  const DifferenceEstimate few = paired_difference(table(0, 0, 15, 5));
  EXPECT_GT(few.interval.high, 0.05) << "20 questions can't exclude 5 points";
  EXPECT_GT(equivalence_p(few, 0.03), 0.05);
  EXPECT_LT(equivalence_p(paired_difference(table(0, 0, 300, 200)), 0.03), 0.001);
}

TEST(UnpairedDifference, FindsALargeGapAndNotAChanceOne) {
  const auto proportion = [](double value, double n) {
    ProportionEstimate p;
    p.value = value;
    p.effective_trials = n;
    p.interval = wilson_interval(value * n, n);
    return p;
  };
  EXPECT_LT(unpaired_p(unpaired_difference(proportion(0.5, 200), proportion(0.7, 200))), 0.001);
  EXPECT_GT(unpaired_p(unpaired_difference(proportion(0.5, 200), proportion(0.53, 200))), 0.3);
}

// Known truth. Two systems with a shared difficulty per question.
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : random_(seed) {}
  std::vector<PairedScore> draw(int questions, double a, double b, int attempts = 1) {
    std::vector<PairedScore> scores;
    for (int q = 0; q < questions; ++q) {
      const double shift = 0.5 * (uniform_(random_) - 0.5);
      PairedScore score;
      for (int k = 0; k < attempts; ++k) {
        score.a += (uniform_(random_) < a + shift) / static_cast<double>(attempts);
        score.b += (uniform_(random_) < b + shift) / static_cast<double>(attempts);
      }
      scores.push_back(score);
    }
    return scores;
  }

 private:
  boost::random::mt19937_64 random_;
  boost::random::uniform_01<> uniform_;
};

TEST(Known, TestsOfEqualSystemsErrAtTheirNominalRate) {
  Simulation simulation(11);
  int exact = 0, mid = 0, permutation = 0, clustered = 0;
  constexpr int kDraws = 2000;
  for (int draw = 0; draw < kDraws; ++draw) {
    const auto scores = simulation.draw(200, 0.6, 0.6);
    const DiscordantCounts counts = count_discordant(scores);
    exact += mcnemar_exact_p(counts.only_a, counts.only_b) < 0.05;
    mid += mcnemar_mid_p(counts.only_a, counts.only_b) < 0.05;
    permutation += paired_permutation_p(scores, {.permutations = 200}) < 0.05;
    clustered +=
        paired_permutation_p(simulation.draw(60, 0.6, 0.6, 4), {.permutations = 200}) < 0.05;
  }
  EXPECT_LE(exact / double{kDraws}, 0.055) << "exact: never above its level";
  EXPECT_GE(exact / double{kDraws}, 0.02);
  EXPECT_NEAR(mid / double{kDraws}, 0.05, 0.012);
  EXPECT_LE(permutation / double{kDraws}, 0.06);
  EXPECT_GE(permutation / double{kDraws}, 0.02);
  EXPECT_NEAR(clustered / double{kDraws}, 0.05, 0.015) << "questions sampled four times each";
}

TEST(Known, IntervalsOfTheDifferenceHoldTheTruth) {
  Simulation simulation(12);
  constexpr int kDraws = 2000;
  int single = 0, several = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    single += paired_difference(simulation.draw(200, 0.5, 0.6)).interval.contains(0.1);
    several += paired_difference(simulation.draw(100, 0.5, 0.6, 4)).interval.contains(0.1);
  }
  EXPECT_GE(single / double{kDraws}, 0.94);
  EXPECT_LE(single / double{kDraws}, 0.96);
  EXPECT_GE(several / double{kDraws}, 0.94);
  EXPECT_LE(several / double{kDraws}, 0.96);
}

TEST(Known, EquivalenceIsClaimedFalselyAtMostAtItsLevel) {
  Simulation simulation(13);
  constexpr int kDraws = 2000;
  int at_the_margin = 0, truly_equal = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    at_the_margin += equivalence_p(paired_difference(simulation.draw(800, 0.5, 0.55)), 0.05) < 0.05;
    truly_equal += equivalence_p(paired_difference(simulation.draw(1500, 0.5, 0.5)), 0.06) < 0.05;
  }
  EXPECT_NEAR(at_the_margin / double{kDraws}, 0.05, 0.012);
  EXPECT_GT(truly_equal / double{kDraws}, 0.85) << "and it has the power to find equality";
}

TEST(Known, UnpairedTestAndIntervalHoldTheirLevel) {
  boost::random::mt19937_64 random(14);
  boost::random::uniform_01<> uniform;
  constexpr int kDraws = 2000, kQuestions = 150;
  int rejected = 0, held = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    std::vector<QuestionCount> a, b, c;
    for (int q = 0; q < kQuestions; ++q) {
      a.push_back({uniform(random) < 0.6, 1});
      b.push_back({uniform(random) < 0.6, 1});
      c.push_back({uniform(random) < 0.7, 1});
    }
    const auto pa = estimate_proportion(a);
    rejected += unpaired_p(unpaired_difference(pa, estimate_proportion(b))) < 0.05;
    held += unpaired_difference(pa, estimate_proportion(c)).interval.contains(0.1);
  }
  EXPECT_NEAR(rejected / double{kDraws}, 0.05, 0.012);
  EXPECT_GE(held / double{kDraws}, 0.94);
  EXPECT_LE(held / double{kDraws}, 0.96);
}

}  // namespace
}  // namespace moebench
