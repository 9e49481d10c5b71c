#include "engine/runtime/random.h"

#include <gtest/gtest.h>

#include <vector>

namespace moebench {
namespace {

using Words = std::array<std::uint32_t, 4>;

// The known answers published with Philox (Random123, kat_vectors).
TEST(Random, PhiloxGivesThePublishedKnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}));
  constexpr std::uint32_t kOnes = 0xffffffffu;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Words{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}));
  EXPECT_EQ(
      philox4x32({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, {0xa4093822u, 0x299f31d0u}),
      (Words{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}));
}

TEST(Random, UniformsStayBelowOneAndFillTheRange) {
  double sum = 0.0;
  float low = 1.0f, high = 0.0f;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const float u = sampling_uniform(42, 0, static_cast<std::uint64_t>(i));
    ASSERT_GE(u, 0.0f);
    ASSERT_LT(u, 1.0f);
    low = u < low ? u : low;
    high = u > high ? u : high;
    sum += static_cast<double>(u);
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.01);
  EXPECT_LT(low, 0.001f);
  EXPECT_GT(high, 0.999f);
}

TEST(Random, SeedSampleAndPositionEachChangeTheDraw) {
  const float u = sampling_uniform(1, 2, 3);
  EXPECT_EQ(u, sampling_uniform(1, 2, 3));
  EXPECT_NE(u, sampling_uniform(2, 2, 3));
  EXPECT_NE(u, sampling_uniform(1, 3, 3));
  EXPECT_NE(u, sampling_uniform(1, 2, 4));
  EXPECT_NE(u, sampling_uniform(1ull << 40 | 1, 2, 3)) << "the seed's upper half counts too";
}

}  // namespace
}  // namespace moebench
