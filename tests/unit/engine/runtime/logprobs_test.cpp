#include "engine/runtime/logprobs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace moebench {
namespace {

TEST(Logprobs, AreLogarithmsOfTheSoftmaxBestFirst) {
  const std::vector<float> logits = {std::log(0.1f), std::log(0.6f), std::log(0.3f)};
  const TokenLogprobs result = token_logprobs(logits, 0, 2);
  EXPECT_NEAR(result.logprob, std::log(0.1f), 1e-6f);
  ASSERT_EQ(result.top.size(), 2u);
  EXPECT_EQ(result.top[0].first, 1);
  EXPECT_NEAR(result.top[0].second, std::log(0.6f), 1e-6f);
  EXPECT_EQ(result.top[1].first, 2);
}

TEST(Logprobs, HugeLogitsDoNotOverflowAndEqualOnesGoById) {
  const std::vector<float> logits = {1e30f, 1e30f, 0.0f};
  const TokenLogprobs result = token_logprobs(logits, 1, 9);
  EXPECT_TRUE(std::isfinite(result.logprob));
  ASSERT_EQ(result.top.size(), 3u) << "no more than there are";
  EXPECT_EQ(result.top[0].first, 0);
}

}  // namespace
}  // namespace moebench
