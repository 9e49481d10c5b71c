#include "reports/gate/timing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <iterator>
#include <random>
#include <vector>

namespace moebench {
namespace {

// A shared runner: load that wanders (AR(1)), that hits both programs of a round nearly alike;
// noise of each run of its own with heavy tails (Student's t with 3 degrees); and bursts that hit
// one run alone and only ever slow it down.
class NoisyMachine {
 public:
  NoisyMachine(std::uint64_t seed, double sigma) : random_(seed), sigma_(sigma) {}

  GateRound round(double slowdown, int number) {
    drift_ = 0.9 * drift_ + 0.05 * normal_(random_);
    const double first = run(), second = run() + 0.002 * normal_(random_);
    const bool a_first = number % 2 == 0;
    const double a = a_first ? first : second, b = a_first ? second : first;
    GateRound round;
    for (const GatedMetric& metric : default_gated_metrics()) {
      // Wall-clock figures share the run's fate and have several times the noise.
      const double noise = metric.wall_clock ? 6 : metric.key == "peak_memory_bytes" ? 0.05 : 1;
      const double slower = metric.key == "peak_memory_bytes" ? 0 : std::log1p(slowdown);
      const double direction = metric.higher_is_better ? -1 : 1;
      round.baseline[metric.key] = 100 * std::exp(direction * (drift_ + noise * a));
      round.candidate[metric.key] = 100 * std::exp(direction * (drift_ + noise * b + slower));
    }
    return round;
  }

 private:
  double run() {
    const double burst = uniform_(random_) < 0.08 ? 4 * sigma_ * exponential_(random_) : 0;
    // A t with 3 degrees of freedom has the standard deviation sqrt(3).
    return sigma_ / std::sqrt(2.0) * heavy_(random_) / std::sqrt(3.0) + burst;
  }

  std::mt19937_64 random_;
  double sigma_, drift_ = 0;
  std::normal_distribution<double> normal_;
  std::student_t_distribution<double> heavy_{3};
  std::uniform_real_distribution<double> uniform_;
  std::exponential_distribution<double> exponential_;
};

struct Outcome {
  bool failed = false, decided = false;
  int rounds = 0;
};

Outcome play_gate(NoisyMachine& machine, double slowdown, int affordable_rounds) {
  std::vector<GateRound> rounds;
  for (int look = next_look(1); look > 0; look = next_look(look + 1)) {
    const int until = std::min(look, affordable_rounds);
    while (static_cast<int>(rounds.size()) < until)
      rounds.push_back(machine.round(slowdown, static_cast<int>(rounds.size())));
    const auto findings = decide_timing(rounds, default_gated_metrics(), kDefaultAlpha);
    Outcome outcome;
    outcome.rounds = until;
    outcome.decided = timing_is_decided(findings);
    for (const TimingFinding& finding : findings)
      outcome.failed = outcome.failed || finding.verdict == GateVerdict::kFail;
    if (outcome.decided || until == affordable_rounds || next_look(look + 1) == 0) return outcome;
  }
  return {};
}

// The noise of ci/gate/README.md's machine: the CPU time's ratio varies by 2 to 3 % from round to
// round; the default budget holds about 40 rounds there.
constexpr double kSigma = 0.02;
constexpr int kAffordable = 40;

TEST(KnownGate, EqualProgramsFailLessThanOnceInAHundred) {
  constexpr int kGates = 2000;
  for (const double sigma : {kSigma / 4, kSigma, 3 * kSigma}) {
    NoisyMachine machine(11, sigma);
    int failed = 0, decided = 0;
    for (int gate = 0; gate < kGates; ++gate) {
      const Outcome outcome = play_gate(machine, 0, kAffordable);
      failed += outcome.failed ? 1 : 0;
      decided += outcome.decided ? 1 : 0;
    }
    EXPECT_LT(failed, 0.01 * kGates) << "sigma " << sigma;
    if (sigma <= kSigma) {
      EXPECT_GT(decided, 0.95 * kGates) << "sigma " << sigma;
    }
  }
}

TEST(KnownGate, FindsASlowdownOfFivePercentWithinTheDefaultBudget) {
  constexpr int kGates = 600;
  NoisyMachine machine(12, kSigma);
  int failed = 0;
  for (int gate = 0; gate < kGates; ++gate)
    failed += play_gate(machine, 0.05, kAffordable).failed ? 1 : 0;
  EXPECT_GT(failed, 0.95 * kGates);
}

TEST(KnownGate, LetsASlowdownBelowTheMinimumEffectPass) {
  constexpr int kGates = 400;
  NoisyMachine machine(13, kSigma / 4);
  int failed = 0;
  for (int gate = 0; gate < kGates; ++gate)
    failed += play_gate(machine, 0.01, kAffordable).failed ? 1 : 0;
  EXPECT_LT(failed, 0.01 * kGates);
}

GatedMetric metric(bool higher_is_better, double minimum_effect) {
  return {"m", "m", higher_is_better, minimum_effect, true, false};
}

std::vector<GateRound> rounds_of(double baseline, double candidate, int count, double jitter) {
  std::vector<GateRound> rounds;
  for (int i = 0; i < count; ++i) {
    const double wobble = 1 + jitter * (i % 5 - 2);
    rounds.push_back({{{"m", baseline}}, {{"m", candidate * wobble}}});
  }
  return rounds;
}

TEST(DecideTiming, KnowsWhichWayIsWorse) {
  const std::vector<GatedMetric> lower = {metric(false, 0.03)}, higher = {metric(true, 0.03)};
  const auto slower = rounds_of(100, 106, 16, 0.001);
  EXPECT_EQ(decide_timing(slower, lower, 0.01)[0].verdict, GateVerdict::kFail);
  EXPECT_EQ(decide_timing(slower, higher, 0.01)[0].verdict, GateVerdict::kPass);
  EXPECT_NEAR(decide_timing(slower, lower, 0.01)[0].worsening, 0.06, 0.002);
  EXPECT_NEAR(decide_timing(slower, higher, 0.01)[0].worsening, 1 / 1.06 - 1, 0.002);
}

TEST(DecideTiming, ASignificantButSmallWorseningPasses) {
  const std::vector<GatedMetric> metrics = {metric(false, 0.03)};
  const auto finding = decide_timing(rounds_of(100, 102, 16, 0.0005), metrics, 0.01)[0];
  EXPECT_GT(finding.interval.low, 0);
  EXPECT_EQ(finding.verdict, GateVerdict::kPass);
}

TEST(DecideTiming, TooWideAnIntervalIsInconclusive) {
  const std::vector<GatedMetric> metrics = {metric(false, 0.03)};
  const auto finding = decide_timing(rounds_of(100, 101, 16, 0.05), metrics, 0.01)[0];
  EXPECT_EQ(finding.verdict, GateVerdict::kInconclusive);
  EXPECT_FALSE(timing_is_decided({&finding, 1}));
}

TEST(DecideTiming, LeavesOutAFigureThatARoundLacks) {
  const std::vector<GatedMetric> metrics = {metric(false, 0.03)};
  auto rounds = rounds_of(100, 100, 16, 0.001);
  rounds[3].candidate.clear();
  EXPECT_TRUE(decide_timing(rounds, metrics, 0.01).empty());
}

TEST(DecideTiming, TogetherAWallClockFigureCanFailButNotPass) {
  std::vector<GatedMetric> metrics = {metric(false, 0.03)};
  metrics[0].wall_clock = true;
  auto equal = decide_timing(rounds_of(100, 100, 16, 0.001), metrics, 0.01);
  auto slower = decide_timing(rounds_of(100, 110, 16, 0.001), metrics, 0.01);
  trust_only_worsenings_of_wall_clock(equal);
  trust_only_worsenings_of_wall_clock(slower);
  EXPECT_EQ(equal[0].verdict, GateVerdict::kInconclusive);
  EXPECT_FALSE(equal[0].metric.required);
  EXPECT_EQ(slower[0].verdict, GateVerdict::kFail);
}

TEST(RoundsNeeded, GrowsWithTheSquareOfTheNoiseAndIgnoresTheSize) {
  const std::vector<GatedMetric> metrics = {metric(false, 0.03)};
  const int quiet = rounds_needed(rounds_of(100, 100, 5, 0.005), metrics, "m", 0.01);
  const int noisy = rounds_needed(rounds_of(100, 100, 5, 0.05), metrics, "m", 0.01);
  const int shifted = rounds_needed(rounds_of(100, 150, 5, 0.05), metrics, "m", 0.01);
  EXPECT_EQ(quiet, kLooks[0]);
  EXPECT_GT(noisy, 60);
  EXPECT_EQ(noisy, shifted);
}

TEST(NextLook, GoesThroughTheFixedLooks) {
  EXPECT_EQ(next_look(1), 12);
  EXPECT_EQ(next_look(13), 16);
  EXPECT_EQ(next_look(96), 96);
  EXPECT_EQ(next_look(97), 0);
}

}  // namespace
}  // namespace moebench
