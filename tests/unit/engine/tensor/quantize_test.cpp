#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "engine/tensor/convert.h"

namespace moebench {
namespace {

struct Quality {
  DType dtype;
  double relative_rms_error;  ///< of normal values, at most
};

double relative_rms_error(DType dtype, const std::vector<float>& values) {
  std::vector<std::byte> stored(row_bytes(dtype, values.size()));
  from_f32(stored.data(), dtype, values);
  std::vector<float> back(values.size());
  to_f32(back.data(), stored.data(), dtype, values.size());
  double error = 0.0, size = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    error += std::pow(static_cast<double>(back[i]) - values[i], 2);
    size += std::pow(static_cast<double>(values[i]), 2);
  }
  return std::sqrt(error / size);
}

std::vector<float> normal_values(float scale, float offset) {
  std::mt19937 bits(3);
  std::normal_distribution<float> normal(offset, scale);
  std::vector<float> values(64 * 256);
  for (float& value : values) value = normal(bits);
  return values;
}

class Quantize : public testing::TestWithParam<Quality> {};

// The bounds are what each type's levels can do on normal values with a well chosen scale: a wrong
// shift, sign or scale is far above them.
TEST_P(Quantize, KeepsNormalValues) {
  const auto [dtype, bound] = GetParam();
  EXPECT_LT(relative_rms_error(dtype, normal_values(0.02f, 0.0f)), bound);
  EXPECT_LT(relative_rms_error(dtype, normal_values(20.0f, 0.0f)), bound);
}

TEST_P(Quantize, KeepsZerosAndOneSidedBlocks) {
  const auto [dtype, bound] = GetParam();
  std::vector<float> values(256, 0.0f);
  std::vector<std::byte> stored(row_bytes(dtype, values.size()));
  from_f32(stored.data(), dtype, values);
  std::vector<float> back(values.size(), 1.0f);
  to_f32(back.data(), stored.data(), dtype, values.size());
  EXPECT_EQ(back, values);
  EXPECT_LT(relative_rms_error(dtype, normal_values(0.5f, 3.0f)), bound);
  EXPECT_LT(relative_rms_error(dtype, normal_values(0.5f, -3.0f)), 2 * bound);
}

INSTANTIATE_TEST_SUITE_P(Types, Quantize,
                         testing::Values(Quality{DType::kF32, 1e-9}, Quality{DType::kF16, 5e-4},
                                         Quality{DType::kBF16, 4e-3}, Quality{DType::kQ8_0, 0.007},
                                         Quality{DType::kQ4_0, 0.09}, Quality{DType::kQ4_1, 0.08},
                                         Quality{DType::kQ5_0, 0.045}, Quality{DType::kQ5_1, 0.04},
                                         Quality{DType::kQ4_K, 0.085}, Quality{DType::kQ5_K, 0.045},
                                         Quality{DType::kQ6_K, 0.02}),
                         [](const auto& test) { return std::string(name(test.param.dtype)); });

}  // namespace
}  // namespace moebench
