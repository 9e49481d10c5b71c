#include "engine/backends/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace moebench {
namespace {

std::int32_t draw(const std::vector<float>& logits, const SampleRow& row) {
  std::vector<SampleCandidate> scratch;
  return sample_row(logits.data(), static_cast<std::int64_t>(logits.size()), row, scratch);
}

/// How often each id comes out when `uniform` runs over an even grid.
std::vector<double> shares(const std::vector<float>& logits, SampleRow row) {
  constexpr int kSteps = 10000;
  std::vector<double> share(logits.size());
  for (int i = 0; i < kSteps; ++i) {
    row.uniform = (static_cast<float>(i) + 0.5f) / kSteps;
    share[static_cast<std::size_t>(draw(logits, row))] += 1.0 / kSteps;
  }
  return share;
}

const std::vector<float> kLogits = {std::log(0.1f), std::log(0.4f), std::log(0.2f), std::log(0.3f)};

TEST(Sampling, GreedyTakesTheLowestIdAmongEquals) {
  EXPECT_EQ(draw({0.0f, 2.0f, 2.0f, 1.0f}, {}), 1);
}

TEST(Sampling, TemperatureOneGivesTheModelsDistribution) {
  SampleRow row;
  row.temperature = 1.0f;
  const auto share = shares(kLogits, row);
  EXPECT_NEAR(share[0], 0.1, 1e-3);
  EXPECT_NEAR(share[1], 0.4, 1e-3);
  EXPECT_NEAR(share[2], 0.2, 1e-3);
  EXPECT_NEAR(share[3], 0.3, 1e-3);
}

TEST(Sampling, TemperatureHalfSquaresTheProbabilities) {
  SampleRow row;
  row.temperature = 0.5f;
  const auto share = shares(kLogits, row);
  EXPECT_NEAR(share[1], 0.16 / 0.30, 1e-3);
  EXPECT_NEAR(share[0], 0.01 / 0.30, 1e-3);
}

TEST(Sampling, TopKKeepsTheBest) {
  SampleRow row;
  row.temperature = 1.0f;
  row.top_k = 2;
  const auto share = shares(kLogits, row);
  EXPECT_EQ(share[0], 0.0);
  EXPECT_EQ(share[2], 0.0);
  EXPECT_NEAR(share[1], 4.0 / 7.0, 1e-3);
}

TEST(Sampling, TopPKeepsTheShortestRunThatHoldsTheMass) {
  SampleRow row;
  row.temperature = 1.0f;
  row.top_p = 0.65f;  // 0.4 + 0.3 holds it
  const auto share = shares(kLogits, row);
  EXPECT_EQ(share[0], 0.0);
  EXPECT_EQ(share[2], 0.0);
  EXPECT_NEAR(share[3], 3.0 / 7.0, 1e-3);
}

TEST(Sampling, TopPIsAShareOfWhatTopKLeft) {
  SampleRow row;
  row.temperature = 1.0f;
  row.top_k = 3;     // 0.4, 0.3, 0.2
  row.top_p = 0.4f;  // of 0.9: 0.36, which the best alone holds
  const auto share = shares(kLogits, row);
  EXPECT_NEAR(share[1], 1.0, 1e-9);
}

TEST(Sampling, AnEqualLogitAtTheCutIsDecidedById) {
  SampleRow row;
  row.temperature = 1.0f;
  row.top_k = 2;
  const auto share = shares({1.0f, 1.0f, 1.0f, 1.0f}, row);
  EXPECT_NEAR(share[0], 0.5, 1e-3);
  EXPECT_NEAR(share[1], 0.5, 1e-3);
}

TEST(Sampling, TheLastCandidateTakesTheRoundingAtTheUpperEnd) {
  SampleRow row;
  row.temperature = 1.0f;
  row.uniform = std::nextafter(1.0f, 0.0f);
  EXPECT_EQ(draw(kLogits, row), 3);
}

TEST(Sampling, NumbersThatAreNoneAreReportedAndNeverDrawn) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(draw({nan, nan}, {}), -1);
  SampleRow row;
  row.temperature = 1.0f;
  const auto share = shares({nan, 1.0f, nan, 1.0f}, row);
  EXPECT_EQ(share[0] + share[2], 0.0);
}

}  // namespace
}  // namespace moebench
