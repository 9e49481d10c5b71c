#include "engine/tensor/convert.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <limits>
#include <vector>

#include "engine/formats/gguf.h"

namespace moebench {
namespace {

TEST(Float16, EveryHalfComesBackFromF32) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float wide = f16_to_f32(half);
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(wide)))) << bits;
    } else {
      EXPECT_EQ(f32_to_f16(wide), half) << bits;
    }
  }
}

TEST(Float16, KnownValues) {
  EXPECT_EQ(f16_to_f32(0x3c00), 1.0f);
  EXPECT_EQ(f16_to_f32(0x0001), 0x1p-24f);
  EXPECT_EQ(f16_to_f32(0x03ff), 1023 * 0x1p-24f);
  EXPECT_EQ(f16_to_f32(0x0400), 0x1p-14f);
  EXPECT_EQ(f16_to_f32(0x7bff), 65504.0f);
  EXPECT_EQ(f16_to_f32(0xfc00), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::signbit(f16_to_f32(0x8000)));
}

TEST(Float16, RoundsToNearestEven) {
  EXPECT_EQ(f32_to_f16(1.0f + 0x1p-11f), 0x3c00) << "a tie goes to the even neighbour below";
  EXPECT_EQ(f32_to_f16(1.0f + 3 * 0x1p-11f), 0x3c02) << "a tie goes to the even neighbour above";
  EXPECT_EQ(f32_to_f16(1.0f + 0x1.002p-11f), 0x3c01) << "above a tie rounds up";
  EXPECT_EQ(f32_to_f16(0x1p-25f), 0x0000) << "half the smallest subnormal is a tie with zero";
  EXPECT_EQ(f32_to_f16(0x1.01p-25f), 0x0001);
  EXPECT_EQ(f32_to_f16(3 * 0x1p-25f), 0x0002);
  EXPECT_EQ(f32_to_f16(0x1.ff8p-15f), 0x03ff);
  EXPECT_EQ(f32_to_f16(0x1.fffp-15f), 0x0400) << "the largest subnormals round up to a normal";
  EXPECT_EQ(f32_to_f16(65519.0f), 0x7bff);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00) << "beyond the largest: infinity";
  EXPECT_EQ(f32_to_f16(-1e30f), 0xfc00);
}

TEST(BFloat16, RoundsToNearestEvenAndKeepsNan) {
  EXPECT_EQ(f32_to_bf16(1.0f), 0x3f80);
  EXPECT_EQ(f32_to_bf16(1.0f + 0x1p-8f), 0x3f80);
  EXPECT_EQ(f32_to_bf16(1.0f + 3 * 0x1p-8f), 0x3f82);
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::infinity()), 0x7f80);
  const float nan_in_low_bits = std::bit_cast<float>(0x7f800001u);
  EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(nan_in_low_bits))));
}

TEST(Float8, E4M3HasNoInfinity) {
  EXPECT_EQ(f8e4m3_to_f32(0x7e), 448.0f);
  EXPECT_TRUE(std::isnan(f8e4m3_to_f32(0x7f)));
  EXPECT_TRUE(std::isnan(f8e4m3_to_f32(0xff)));
  EXPECT_EQ(f8e4m3_to_f32(0x38), 1.0f);
  EXPECT_EQ(f8e4m3_to_f32(0x01), 0x1p-9f);
  EXPECT_EQ(f8e4m3_to_f32(0x88), -0x1p-6f);
}

TEST(BlockTypes, DecodeAsTheGgufPackageDoes) {
  // make_block_golden.py wrote blocks.gguf.
  const GgufModel golden = open_gguf(ModelFiles::open(std::filesystem::path(MOEBENCH_SOURCE_DIR) /
                                                      "tests/unit/engine/tensor/blocks.gguf"));
  int compared = 0;
  for (const auto& [name, tensor] : golden.checkpoint.tensors()) {
    const CheckpointTensor* expected = golden.checkpoint.find(name + ".values");
    if (expected == nullptr) continue;
    ++compared;
    const auto n = static_cast<std::size_t>(tensor.view.shape.elements());
    std::vector<float> values(n), wanted(n);
    to_f32(values.data(), tensor.view.data, tensor.view.dtype, n);
    to_f32(wanted.data(), expected->view.data, DType::kF32, n);
    for (std::size_t i = 0; i < n; ++i) {
      ASSERT_NEAR(values[i], wanted[i], 1e-6f * std::fabs(wanted[i]) + 1e-30f)
          << name << " element " << i;
    }
  }
  EXPECT_EQ(compared, 12);
}

}  // namespace
}  // namespace moebench
