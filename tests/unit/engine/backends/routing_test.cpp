#include "engine/backends/routing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace moebench {
namespace {

struct Choice {
  std::vector<std::int32_t> ids;
  std::vector<float> weights;
};

Choice route(const std::vector<float>& logits, const RouterOptions& options,
             const std::vector<float>& bias = {}) {
  Choice choice;
  choice.ids.resize(static_cast<std::size_t>(options.top_k));
  choice.weights.resize(static_cast<std::size_t>(options.top_k));
  std::vector<float> scratch(static_cast<std::size_t>(route_scratch_floats(options)));
  route_row(logits.data(), bias.empty() ? nullptr : bias.data(), options, choice.ids.data(),
            choice.weights.data(), scratch.data());
  return choice;
}

RouterOptions options_of(RouterScoring scoring, std::int32_t experts, std::int32_t top_k) {
  RouterOptions options;
  options.scoring = scoring;
  options.n_experts = experts;
  options.top_k = top_k;
  return options;
}

using Ids = std::vector<std::int32_t>;

TEST(Routing, SoftmaxWeightsAreTheProbabilitiesBestFirst) {
  const Choice c = route({0.0f, 2.0f, 1.0f, -1.0f}, options_of(RouterScoring::kSoftmax, 4, 2));
  EXPECT_EQ(c.ids, (Ids{1, 2}));
  const double sum = std::exp(0.0) + std::exp(2.0) + std::exp(1.0) + std::exp(-1.0);
  EXPECT_NEAR(c.weights[0], std::exp(2.0) / sum, 1e-6);
  EXPECT_NEAR(c.weights[1], std::exp(1.0) / sum, 1e-6);
}

TEST(Routing, TheBiasSelectsButDoesNotWeigh) {
  const Choice c =
      route({1.0f, 0.5f, 0.0f}, options_of(RouterScoring::kSigmoid, 3, 1), {0.0f, 0.0f, 5.0f});
  EXPECT_EQ(c.ids, (Ids{2}));
  EXPECT_FLOAT_EQ(c.weights[0], 0.5f) << "the weight is sigmoid(0), without the bias of 5";
}

TEST(Routing, EqualScoresGoToTheLowerIndex) {
  const Choice c = route({1.0f, 3.0f, 3.0f, 3.0f, 1.0f}, options_of(RouterScoring::kSoftmax, 5, 4));
  EXPECT_EQ(c.ids, (Ids{1, 2, 3, 0}));
}

TEST(Routing, NormalisedAndScaledWeightsSumToTheScale) {
  RouterOptions options = options_of(RouterScoring::kSigmoid, 6, 3);
  options.normalize_weights = true;
  options.weight_scale = 2.5f;
  const Choice c = route({0.1f, -0.4f, 1.2f, 0.7f, -2.0f, 0.3f}, options);
  EXPECT_EQ(c.ids, (Ids{2, 3, 5}));
  EXPECT_NEAR(c.weights[0] + c.weights[1] + c.weights[2], 2.5f, 1e-6f);
}

TEST(Routing, TopKOfAllExpertsTakesEachOnce) {
  const Choice c = route({0.0f, 1.0f, 0.5f}, options_of(RouterScoring::kSoftmax, 3, 3));
  EXPECT_EQ(c.ids, (Ids{1, 2, 0}));
}

TEST(Routing, GroupLimitByBestExpertLeavesOutTheOtherGroups) {
  RouterOptions options = options_of(RouterScoring::kSoftmax, 6, 2);
  options.n_groups = 3;
  options.top_k_groups = 1;
  options.group_score = RouterGroupScore::kMax;
  // Group 1 holds the single best expert; group 0 holds the next two.
  const Choice c = route({2.0f, 1.9f, 3.0f, -5.0f, 0.0f, 0.0f}, options);
  EXPECT_EQ(c.ids, (Ids{2, 3}));
}

TEST(Routing, GroupLimitByTopTwoSumPrefersTheBalancedGroup) {
  RouterOptions options = options_of(RouterScoring::kSigmoid, 6, 2);
  options.n_groups = 3;
  options.top_k_groups = 1;
  options.group_score = RouterGroupScore::kTop2Sum;
  const Choice c = route({2.0f, 1.9f, 3.0f, -5.0f, 0.0f, 0.0f}, options);
  EXPECT_EQ(c.ids, (Ids{0, 1}));
}

TEST(Routing, NumbersOutOfRangeStillGiveDistinctExperts) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Choice c = route({nan, nan, nan}, options_of(RouterScoring::kSoftmax, 3, 2));
  EXPECT_NE(c.ids[0], c.ids[1]);
  EXPECT_TRUE(std::isnan(c.weights[0])) << "a broken row must stay visible";
}

}  // namespace
}  // namespace moebench
