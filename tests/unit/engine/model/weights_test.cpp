#include "engine/model/weights.h"

#include <filesystem>

#include "engine/backends/reference/reference_backend.h"
#include "engine/model/model_source.h"
#include "tests/unit/engine/formats/bad_model.h"

namespace moebench {
namespace {

using testing::Contains;
using testing::HasSubstr;

ModelSource open_case(const std::string& name) {
  return open_model(ModelFiles::open(std::filesystem::path(MOEBENCH_SOURCE_DIR) /
                                     "tests/parity/engine/goldens" / name));
}

/// The case's checkpoint with its tensors changed by `change`.
template <class Change>
Checkpoint changed(const ModelSource& source, const Change& change) {
  Checkpoint::Tensors tensors = source.checkpoint.tensors();
  change(tensors);
  return {source.checkpoint.format(), source.files, std::move(tensors)};
}
template <class Change>
std::string message(const std::string& name, const Change& change) {
  const ModelSource source = open_case(name);
  const auto backend = make_reference_backend();
  return bad_model_message([&] { load_weights(source.config, changed(source, change), *backend); });
}

TEST(LoadWeights, MissingTensorIsNamed) {
  EXPECT_THAT(message("llama", [](auto& tensors) { tensors.erase("model.norm.weight"); }),
              HasSubstr("tensor 'model.norm.weight' is missing"));
  EXPECT_THAT(
      message("deepseek_v3",
              [](auto& tensors) { tensors.erase("model.layers.1.mlp.experts.7.up_proj.weight"); }),
      HasSubstr("tensor 'model.layers.1.mlp.experts.7.up_proj.weight' is missing"));
}

TEST(LoadWeights, WrongShapeIsNamedWithBothShapes) {
  EXPECT_THAT(message("llama",
                      [](auto& tensors) {
                        tensors["model.layers.1.self_attn.k_proj.weight"].view.shape = {32, 16};
                      }),
              HasSubstr("tensor 'model.layers.1.self_attn.k_proj.weight' has shape (32, 16), "
                        "expected (16, 32)"));
}

TEST(LoadWeights, UnexpectedTensorIsNamed) {
  const auto add = [](const std::string& name) {
    return [name](auto& tensors) { tensors[name] = tensors["model.norm.weight"]; };
  };
  EXPECT_THAT(message("llama", add("model.layers.0.self_attn.sinks")),
              HasSubstr("tensor 'model.layers.0.self_attn.sinks' is not part of a llama model"));
  EXPECT_THAT(message("llama", add("model.layers.7.input_layernorm.weight")),
              HasSubstr("'model.layers.7.input_layernorm.weight' is not part"));
  EXPECT_THAT(message("qwen3", add("model.layers.0.self_attn.q_proj.bias")),
              HasSubstr("'model.layers.0.self_attn.q_proj.bias' is not part"));
}

TEST(LoadWeights, NumbersThatAreNoWeights) {
  EXPECT_THAT(message("llama",
                      [](auto& tensors) { tensors["model.norm.weight"].view.dtype = DType::kI32; }),
              HasSubstr("is stored as i32, which is no type for weights"));
}

TEST(LoadWeights, Fp8NeedsItsScales) {
  const std::string scale = "model.layers.0.mlp.up_proj.weight_scale_inv";
  EXPECT_THAT(message("deepseek_v3_fp8", [&](auto& tensors) { tensors.erase(scale); }),
              HasSubstr("'" + scale + "' is missing"));
  EXPECT_THAT(message("deepseek_v3_fp8",
                      [&](auto& tensors) {
                        tensors[scale].view.shape = {1, 1};
                      }),
              HasSubstr("'" + scale + "' has shape (1, 1) in f32, expected (3, 2)"));
}

TEST(LoadWeights, PredictionLayersAreLeftOutWithANote) {
  ModelSource source = open_case("deepseek_v3");
  source.config.prediction_layers = 1;
  const Checkpoint checkpoint = changed(source, [](auto& tensors) {
    tensors["model.layers.2.eh_proj.weight"] = tensors["model.norm.weight"];
  });
  const auto backend = make_reference_backend();
  const Weights weights = load_weights(source.config, checkpoint, *backend);
  EXPECT_THAT(weights.notes, Contains(HasSubstr("1 tensors of multi-token prediction layers")));
}

TEST(LoadWeights, CountsParametersOnceAndActiveExpertsOnly) {
  const ModelSource source = open_case("mixtral");  // 2 layers, 6 experts of 24, 2 active
  const auto backend = make_reference_backend();
  const Weights weights = load_weights(source.config, source.checkpoint, *backend);
  const std::int64_t embedding = 96 * 32, expert = 3 * 24 * 32;
  const std::int64_t attention = 2 * 32 * 32 + 2 * 16 * 32, rest = 2 * 32 + 6 * 32;
  EXPECT_EQ(weights.total_parameters, 2 * embedding + 32 + 2 * (attention + rest + 6 * expert));
  EXPECT_EQ(weights.active_parameters, embedding + 32 + 2 * (attention + rest + 2 * expert));
  EXPECT_EQ(weights.matrix_types, "f32");
  EXPECT_EQ(kv_values_per_token(source.config), 2 * 2 * 16);
  const Weights tied = [&] {
    const ModelSource other = open_case("qwen2");
    return load_weights(other.config, other.checkpoint, *backend);
  }();
  EXPECT_NE(tied.lm_head, nullptr) << "tied embeddings still need an output matrix";
}

TEST(LoadWeights, RequantizesMatricesAndSaysWhatItSubstituted) {
  const ModelSource source = open_case("deepseek_v3");
  const auto backend = make_reference_backend();
  const Weights weights = load_weights(source.config, source.checkpoint, *backend, DType::kQ4_0);
  EXPECT_THAT(weights.matrix_types, HasSubstr("q4_0"));
  EXPECT_THAT(weights.matrix_types, HasSubstr("f16")) << "rows of 16 fill no block of 32";
  EXPECT_THAT(weights.notes, Contains(HasSubstr("do not fill blocks of q4_0")));
  EXPECT_THROW(load_weights(source.config, source.checkpoint, *backend, DType::kQ2_K), Error);
}

}  // namespace
}  // namespace moebench
