#include "engine/model/rope_scaling.h"

#include <gtest/gtest.h>

#include <cmath>

namespace moebench {
namespace {

RopeConfig scaled(const RopeScaling& scaling, double theta = 10000.0) {
  RopeConfig rope;
  rope.dim = 64;
  apply_rope_scaling(rope, theta, scaling);
  return rope;
}

TEST(RopeScaling, PlainFrequencies) {
  const RopeConfig rope = scaled({});
  ASSERT_EQ(rope.inverse_frequency.size(), 32u);
  EXPECT_FLOAT_EQ(rope.inverse_frequency[0], 1.0f);
  EXPECT_FLOAT_EQ(rope.inverse_frequency[16], 0.01f);
  EXPECT_FLOAT_EQ(rope.magnitude, 1.0f);
}

TEST(RopeScaling, LinearDividesAll) {
  RopeScaling scaling;
  scaling.kind = RopeScalingKind::kLinear;
  scaling.factor = 4.0;
  EXPECT_FLOAT_EQ(scaled(scaling).inverse_frequency[16], 0.0025f);
}

TEST(RopeScaling, Llama3KeepsShortWavesAndStretchesLongOnes) {
  RopeScaling scaling;
  scaling.kind = RopeScalingKind::kLlama3;
  scaling.factor = 8.0;
  scaling.original_positions = 8192.0;
  const RopeConfig plain = scaled({}, 500000.0), rope = scaled(scaling, 500000.0);
  EXPECT_FLOAT_EQ(rope.inverse_frequency[0], plain.inverse_frequency[0]);
  EXPECT_FLOAT_EQ(rope.inverse_frequency[31], plain.inverse_frequency[31] / 8.0f);
  for (std::size_t i = 0; i < 32; ++i) {
    EXPECT_LE(rope.inverse_frequency[i], plain.inverse_frequency[i]);
    EXPECT_GE(rope.inverse_frequency[i], 0.999999f * plain.inverse_frequency[i] / 8.0f);
  }
}

TEST(RopeScaling, YarnOfDeepSeekV3) {
  // rope_theta 10000, factor 40, original 4096, beta 32 and 1, both mscales 1: the ramp runs from
  // dimension floor(10.47) to ceil(22.51), and the two magnitudes cancel.
  RopeScaling scaling;
  scaling.kind = RopeScalingKind::kYarn;
  scaling.factor = 40.0;
  scaling.original_positions = 4096.0;
  scaling.mscale = scaling.mscale_all_dim = 1.0;
  const RopeConfig plain = scaled({}), rope = scaled(scaling);
  EXPECT_FLOAT_EQ(rope.magnitude, 1.0f);
  EXPECT_FLOAT_EQ(rope.inverse_frequency[10], plain.inverse_frequency[10]);
  EXPECT_LT(rope.inverse_frequency[11], plain.inverse_frequency[11]);
  EXPECT_GT(rope.inverse_frequency[22], 1.0001f * plain.inverse_frequency[22] / 40.0f);
  EXPECT_FLOAT_EQ(rope.inverse_frequency[23], plain.inverse_frequency[23] / 40.0f);
  scaling.mscale = scaling.mscale_all_dim = 0.0;
  EXPECT_FLOAT_EQ(scaled(scaling).magnitude, static_cast<float>(0.1 * std::log(40.0) + 1.0));
}

}  // namespace
}  // namespace moebench
