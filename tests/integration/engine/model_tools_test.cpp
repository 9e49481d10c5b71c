// inspect_model and quantize_model on the parity cases and the canary.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <vector>

#include "engine/base/error.h"
#include "engine/engine.h"
#include "engine/model/model_source.h"
#include "engine/tensor/convert.h"

namespace moebench {
namespace {

namespace fs = std::filesystem;

std::string parity_case(const std::string& name) {
  return std::string(MOEBENCH_SOURCE_DIR) + "/tests/parity/engine/goldens/" + name;
}

TEST(InspectModel, BothFormatsOfAModelCountTheSame) {
  const ModelInspection a = inspect_model(parity_case("deepseek_v3"));
  const ModelInspection b = inspect_model(parity_case("deepseek_v3") + "/model.gguf");
  EXPECT_EQ(a.info.total_parameters, b.info.total_parameters);
  EXPECT_EQ(a.info.active_parameters, b.info.active_parameters);
  EXPECT_EQ(a.info.n_moe_layers, 1);
  EXPECT_EQ(a.info.n_experts, 8);
  EXPECT_EQ(a.info.experts_per_token, 3);
  EXPECT_EQ(a.kv_values_per_token, 2 * (16 + 8)) << "MLA caches the latent and the rotary part";
  EXPECT_EQ(a.router,
            "3 of 8 experts, sigmoid, from 2 of 4 groups, selection bias, weights normalised and "
            "scaled by 2.5; shared expert of width 16");
  EXPECT_EQ(a.info.weight_types, "f32");
  EXPECT_EQ(b.info.weight_types, "f16, f32");
}

TEST(InspectModel, CanaryHasATokenizerAndATemplate) {
  const ModelInspection canary = inspect_model("canary");
  EXPECT_EQ(canary.info.family, "deepseek_v3");
  EXPECT_FALSE(canary.tokenizer.empty());
  EXPECT_TRUE(canary.info.has_chat_template);
  EXPECT_LT(canary.info.active_parameters, canary.info.total_parameters);
}

class QuantizeModel : public testing::Test {
 protected:
  void TearDown() override { fs::remove(output_); }
  std::string output_ = testing::TempDir() + "quantize_model_test.gguf";
};

TEST_F(QuantizeModel, MatricesBecomeTheTypeAndTheRestStays) {
  const std::string input = parity_case("qwen3_moe") + "/model.gguf";
  const QuantizeResult result = quantize_model(input, output_, "q8_0");
  EXPECT_LT(result.bytes_after, result.bytes_before);
  const ModelSource before = open_model(ModelFiles::open(input));
  const ModelSource after = open_model(ModelFiles::open(output_));
  EXPECT_EQ(after.gguf->find_int("general.file_type"), 7);
  ASSERT_EQ(after.checkpoint.tensors().size(), before.checkpoint.tensors().size());
  for (const auto& [name, tensor] : after.checkpoint.tensors()) {
    const TensorView& old = before.checkpoint.find(name)->view;
    ASSERT_TRUE(tensor.view.shape == old.shape) << name;
    const bool router = name.find("ffn_gate_inp") != std::string::npos;
    const bool fills_blocks = old.shape.back() % 32 == 0;
    if (old.shape.rank() > 1 && !router && fills_blocks) {
      EXPECT_EQ(tensor.view.dtype, DType::kQ8_0) << name;
    } else {
      EXPECT_EQ(tensor.view.dtype, old.dtype) << name;
    }
    const auto n = static_cast<std::size_t>(old.shape.elements());
    std::vector<float> x(n), y(n);
    to_f32(x.data(), old.data, old.dtype, n);
    to_f32(y.data(), tensor.view.data, tensor.view.dtype, n);
    float largest = 0.0f, difference = 0.0f;
    for (std::size_t i = 0; i < n; ++i) {
      largest = std::max(largest, std::fabs(x[i]));
      difference = std::max(difference, std::fabs(x[i] - y[i]));
    }
    EXPECT_LE(difference, largest / 127.0f) << name;
  }
}

TEST_F(QuantizeModel, CanaryAsGgufIsTheSameModelWithItsTokenizer) {
  const QuantizeResult result = quantize_model("canary", output_, "bf16");
  EXPECT_TRUE(result.notes.empty()) << result.notes.front();
  const ModelInspection before = inspect_model("canary"), after = inspect_model(output_);
  EXPECT_EQ(after.info.total_parameters, before.info.total_parameters);
  EXPECT_EQ(after.info.active_parameters, before.info.active_parameters);
  EXPECT_EQ(after.info.n_moe_layers, before.info.n_moe_layers);
  EXPECT_EQ(after.info.max_context_tokens, before.info.max_context_tokens);
  EXPECT_EQ(after.kv_values_per_token, before.kv_values_per_token);
  EXPECT_EQ(after.attention, before.attention);
  EXPECT_EQ(after.router, before.router);
  EXPECT_EQ(after.chat_template, before.chat_template);
  EXPECT_TRUE(after.notes.empty()) << after.notes.front();
}

TEST_F(QuantizeModel, HuggingFaceMatricesBecomeTheTypeAndTheRestF32) {
  const QuantizeResult result = quantize_model(parity_case("deepseek_v3_fp8"), output_, "q8_0");
  EXPECT_EQ(result.notes.size(), 2u) << "rows too short for blocks, no tokenizer";
  const ModelSource model = open_model(ModelFiles::open(output_));
  EXPECT_EQ(model.gguf->find_string("tokenizer.ggml.model"), "none");
  for (const auto& [name, tensor] : model.checkpoint.tensors()) {
    const Shape& shape = tensor.view.shape;
    if (shape.rank() == 1 || name.find("ffn_gate_inp") != std::string::npos) {
      EXPECT_EQ(tensor.view.dtype, DType::kF32) << name;
    } else if (shape.back() % 32 == 0) {
      EXPECT_EQ(tensor.view.dtype, DType::kQ8_0) << name;
    }
  }
}

TEST_F(QuantizeModel, RefusesWhatItCannotDoAndLeavesNoFile) {
  const std::string input = parity_case("llama") + "/model.gguf";
  EXPECT_THROW(quantize_model(input, output_, "q2_k"), Error) << "cannot be written";
  EXPECT_THROW(quantize_model(parity_case(""), output_, "q8_0"), Error) << "no model";
  EXPECT_THROW(quantize_model(input, input, "q8_0"), Error) << "would overwrite its input";
  EXPECT_THROW(quantize_model(input, "/no/such/directory/x.gguf", "q8_0"), Error);
  EXPECT_FALSE(fs::exists(output_));
  EXPECT_FALSE(fs::exists(output_ + ".partial"));
}

}  // namespace
}  // namespace moebench
