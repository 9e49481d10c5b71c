#include "engine/model/families.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/model/gguf_export.h"
#include "engine/model/model_source.h"
#include "tests/unit/engine/formats/bad_model.h"

namespace moebench {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

std::filesystem::path parity_case(const std::string& name) {
  return std::filesystem::path(MOEBENCH_SOURCE_DIR) / "tests/parity/engine/goldens" / name;
}

/// A config.json of the parity cases, to be changed and read.
Json config_of(const std::string& name) {
  const MappedFile file(parity_case(name) / "config.json");
  const auto bytes = file.bytes();
  return Json::parse(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

ModelConfig read(const Json& config) {
  return config_from_hugging_face(config.dump(), "dir/config.json");
}
std::string message(const Json& config) {
  return bad_model_message([&] { read(config); });
}

TEST(Families, DeepSeekV3ConfigIsUnderstood) {
  const ModelConfig config = read(config_of("deepseek_v3"));
  EXPECT_EQ(config.family, "deepseek_v3");
  ASSERT_EQ(config.layers.size(), 2u);
  EXPECT_FALSE(config.layers[0].moe) << "first_k_dense_replace is 1";
  ASSERT_TRUE(config.layers[1].moe);
  const RouterOptions& router = config.layers[1].moe->router;
  EXPECT_EQ(router.scoring, RouterScoring::kSigmoid);
  EXPECT_EQ(router.group_score, RouterGroupScore::kTop2Sum);
  EXPECT_EQ(router.n_groups, 4);
  EXPECT_EQ(router.top_k_groups, 2);
  EXPECT_TRUE(router.normalize_weights);
  EXPECT_FLOAT_EQ(router.weight_scale, 2.5f);
  EXPECT_TRUE(config.layers[1].moe->has_selection_bias);
  EXPECT_EQ(config.layers[1].attention.kind, AttentionKind::kLatent);
  EXPECT_TRUE(config.notes.empty()) << config.notes.front();
}

TEST(Families, GgufAndHuggingFaceDescribeTheSameModel) {
  for (const auto& entry : std::filesystem::directory_iterator(parity_case(""))) {
    SCOPED_TRACE(entry.path().string());
    const ModelConfig a = open_model(ModelFiles::open(entry.path())).config;
    const ModelConfig b = open_model(ModelFiles::open(entry.path() / "model.gguf")).config;
    EXPECT_TRUE(a.family == b.family || (a.family == "mistral" && b.family == "llama"));
    EXPECT_EQ(a.hidden, b.hidden);
    EXPECT_EQ(a.vocab, b.vocab);
    EXPECT_EQ(a.max_positions, b.max_positions);
    EXPECT_EQ(a.tied_embeddings, b.tied_embeddings);
    EXPECT_FLOAT_EQ(a.rope.magnitude, b.rope.magnitude);
    ASSERT_EQ(a.rope.inverse_frequency.size(), b.rope.inverse_frequency.size());
    for (std::size_t i = 0; i < a.rope.inverse_frequency.size(); ++i) {
      EXPECT_NEAR(a.rope.inverse_frequency[i], b.rope.inverse_frequency[i],
                  1e-5f * a.rope.inverse_frequency[i]);
    }
    ASSERT_EQ(a.layers.size(), b.layers.size());
    for (std::size_t i = 0; i < a.layers.size(); ++i) {
      EXPECT_EQ(a.layers[i].moe.has_value(), b.layers[i].moe.has_value());
      EXPECT_FLOAT_EQ(a.layers[i].attention.scale, b.layers[i].attention.scale);
      EXPECT_EQ(a.layers[i].attention.sliding_window_tokens,
                b.layers[i].attention.sliding_window_tokens);
    }
  }
}

TEST(Families, UnknownArchitectureIsNamed) {
  Json config = config_of("llama");
  config["model_type"] = "gpt_neox";
  EXPECT_THAT(message(config), HasSubstr("dir/config.json: key 'model_type' is 'gpt_neox', an "
                                         "unknown architecture (known: llama, "));
  config.erase("model_type");
  EXPECT_THAT(message(config), HasSubstr("'model_type' is missing"));
  config = config_of("llama");
  config["architectures"] = {"LlamaForSequenceClassification"};
  EXPECT_THAT(message(config), HasSubstr("no causal language model"));
}

TEST(Families, UnknownRouterFunctionsAreNamed) {
  Json config = config_of("deepseek_v3");
  config["scoring_func"] = "tanh";
  EXPECT_THAT(message(config), HasSubstr("'scoring_func' is 'tanh', an unknown router function"));
  config = config_of("deepseek_v3");
  config["topk_method"] = "lottery";
  EXPECT_THAT(message(config), HasSubstr("'topk_method' is 'lottery', an unknown router function"));
  config = config_of("deepseek_v2");
  config["topk_method"] = "noaux_tc";
  EXPECT_THAT(message(config), HasSubstr("'topk_method' is 'noaux_tc'"));
}

TEST(Families, UnknownRopeScalingIsNamed) {
  Json config = config_of("llama");
  config["rope_scaling"] = {{"type", "dynamic"}, {"factor", 2.0}};
  EXPECT_THAT(message(config),
              HasSubstr("'rope_scaling.type' is 'dynamic'; default, linear, llama3 and yarn"));
  config["rope_scaling"] = {{"type", "linear"}, {"factor", 2.0}, {"bend", 1}};
  EXPECT_THAT(message(config), HasSubstr("'rope_scaling.bend' is an unknown rope setting"));
  config["rope_scaling"] = {{"type", "linear"}};
  EXPECT_THAT(message(config), HasSubstr("'rope_scaling.factor' is missing"));
}

TEST(Families, SettingsThatWouldChangeTheComputationAreNamed) {
  const auto with = [](const std::string& name, const std::string& key, Json value) {
    Json config = config_of(name);
    config[key] = std::move(value);
    return message(config);
  };
  EXPECT_THAT(with("llama", "hidden_act", "gelu"), HasSubstr("'hidden_act' is 'gelu'"));
  EXPECT_THAT(with("llama", "mlp_bias", true), HasSubstr("'mlp_bias' is true"));
  EXPECT_THAT(with("olmoe", "clip_qkv", 8.0), HasSubstr("'clip_qkv' is 8.0"));
  EXPECT_THAT(with("llama", "partial_rotary_factor", 0.5), HasSubstr("'partial_rotary_factor'"));
  EXPECT_THAT(with("llama", "quantization_config", {{"quant_method", "awq"}}),
              HasSubstr("'quantization_config.quant_method' is 'awq'; fp8 is supported"));
}

TEST(Families, ImpossibleNumbersAreNamed) {
  const auto with = [](const std::string& key, Json value) {
    Json config = config_of("deepseek_v3");
    config[key] = std::move(value);
    return message(config);
  };
  EXPECT_THAT(with("num_hidden_layers", -1), HasSubstr("'num_hidden_layers' is -1, not within"));
  EXPECT_THAT(with("num_hidden_layers", 1000000), HasSubstr("'num_hidden_layers'"));
  EXPECT_THAT(with("hidden_size", "many"), HasSubstr("'hidden_size' is not an integer"));
  EXPECT_THAT(with("num_experts_per_tok", 9), HasSubstr("'num_experts_per_tok' is 9"));
  EXPECT_THAT(with("num_experts_per_tok", 5), HasSubstr("cannot choose 5 experts from 2 of 4"));
  EXPECT_THAT(with("n_group", 3), HasSubstr("8 experts cannot form 3 equal groups"));
  EXPECT_THAT(with("rms_norm_eps", 0.0), HasSubstr("'rms_norm_eps' is not positive"));
  Json config = config_of("deepseek_v3");
  config.erase("kv_lora_rank");
  EXPECT_THAT(message(config), HasSubstr("'kv_lora_rank' is missing"));
  EXPECT_THAT(bad_model_message([] { config_from_hugging_face("{\"a\": ", "dir/config.json"); }),
              HasSubstr("dir/config.json: not valid JSON at byte"));
}

TEST(Families, UnknownKeysAreNoted) {
  Json config = config_of("llama");
  config["surprise"] = 3;
  const ModelConfig model = read(config);
  ASSERT_EQ(model.notes.size(), 1u);
  EXPECT_THAT(model.notes[0], HasSubstr("'surprise' is unknown"));
}

GgufMetadata metadata_with(const std::string& name, const std::string& key, GgufValue value) {
  const GgufModel model = open_gguf(ModelFiles::open(parity_case(name) / "model.gguf"));
  GgufMetadata::Values values = model.metadata.values();
  values[key] = std::move(value);
  return {"dir/m.gguf", std::move(values)};
}
std::string gguf_message(const std::string& name, const std::string& key, GgufValue value) {
  const GgufModel model = open_gguf(ModelFiles::open(parity_case(name) / "model.gguf"));
  return bad_model_message(
      [&] { config_from_gguf(metadata_with(name, key, std::move(value)), model.checkpoint); });
}

TEST(Families, GgufUnknownsAreNamed) {
  EXPECT_THAT(gguf_message("llama", "general.architecture", std::string("bert")),
              HasSubstr("'general.architecture' is 'bert', an unknown architecture"));
  EXPECT_THAT(gguf_message("deepseek_v3", "deepseek2.expert_gating_func", std::uint64_t{3}),
              HasSubstr("'deepseek2.expert_gating_func' is 3, an unknown router function"));
  EXPECT_THAT(gguf_message("qwen3", "qwen3.rope.scaling.type", std::string("longrope")),
              HasSubstr("'qwen3.rope.scaling.type' is 'longrope'"));
  EXPECT_THAT(gguf_message("qwen3", "qwen3.block_count", std::uint64_t{0}),
              HasSubstr("'qwen3.block_count' is 0"));
  EXPECT_THAT(gguf_message("qwen3", "qwen3.block_count", std::string("two")),
              HasSubstr("'qwen3.block_count' is not an integer"));
  EXPECT_THAT(gguf_message("llama", "llama.rope.dimension_count", std::uint64_t{4}),
              HasSubstr("'llama.rope.dimension_count' is not the head's width"));
}

TEST(Families, DeepSeekV2SaysThatItIgnoresNormTopkProb) {
  Json config = config_of("deepseek_v2");
  EXPECT_TRUE(read(config).notes.empty());
  config["norm_topk_prob"] = true;
  const ModelConfig model = read(config);
  EXPECT_FALSE(model.layers.back().moe->router.normalize_weights);
  ASSERT_EQ(model.notes.size(), 1u);
  EXPECT_THAT(model.notes[0], HasSubstr("norm_topk_prob"));
}

/// `name`'s weights under another config.json, in a folder of its own.
class ExportedConfig : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }
  ModelSource with_config(const std::string& name, const Json& config) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    for (const auto& entry : std::filesystem::directory_iterator(parity_case(name))) {
      const std::string file = entry.path().filename().string();
      if (file.find("safetensors") != std::string::npos)
        std::filesystem::copy_file(entry.path(), folder_ / file);
    }
    std::ofstream(folder_ / "config.json") << config.dump();
    return open_model(ModelFiles::open(folder_));
  }
  ModelConfig through_gguf(const ModelSource& source) {
    GgufExport model(source, DType::kF32);
    {
      GgufWriter writer(folder_ / "out.gguf");
      model.add_keys(writer);
      model.add_tensors(writer);
      model.write_tensors(writer);
      writer.finish();
    }
    return open_model(ModelFiles::open(folder_ / "out.gguf")).config;
  }
  std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / ("exported_config" + std::to_string(getpid()));
};

TEST_F(ExportedConfig, KeepsEveryWayToStretchRotations) {
  const Json yarn = {{"rope_type", "yarn"},
                     {"rope_theta", 10000.0},
                     {"factor", 4.0},
                     {"original_max_position_embeddings", 64}};
  const auto with = [](Json base, const Json& more) {
    base.update(more);
    return base;
  };
  const std::vector<std::pair<std::string, Json>> cases = {
      {"qwen3", yarn},
      {"qwen3", with(yarn, {{"attention_factor", 1.5}, {"beta_fast", 16.0}, {"beta_slow", 2.0}})},
      {"qwen3", {{"rope_type", "linear"}, {"rope_theta", 5000.0}, {"factor", 3.0}}},
      {"deepseek_v3", with(yarn, {{"mscale", 1.0}, {"mscale_all_dim", 1.0}})},
      {"deepseek_v3", with(yarn, {{"mscale", 0.5}, {"mscale_all_dim", 0.25}})},
      {"deepseek_v3", yarn}};
  for (const auto& [name, rope] : cases) {
    SCOPED_TRACE(name + " " + rope.dump());
    Json config = config_of(name);
    config.erase("rope_scaling");
    config.erase("rope_theta");
    config["rope_parameters"] = rope;
    const ModelSource source = with_config(name, config);
    const ModelConfig a = source.config, b = through_gguf(source);
    EXPECT_NEAR(a.rope.magnitude, b.rope.magnitude, 1e-6f);
    EXPECT_NEAR(a.layers[0].attention.scale, b.layers[0].attention.scale, 1e-6f);
    for (std::size_t i = 0; i < a.rope.inverse_frequency.size(); ++i) {
      EXPECT_NEAR(a.rope.inverse_frequency[i], b.rope.inverse_frequency[i],
                  1e-6f * a.rope.inverse_frequency[i]);
    }
  }
}

TEST_F(ExportedConfig, RefusesWhatGgufHasNoWordFor) {
  Json config = config_of("qwen3");
  config.erase("rope_scaling");
  config.erase("rope_theta");
  config["rope_parameters"] = {{"rope_type", "yarn"},
                               {"rope_theta", 10000.0},
                               {"factor", 4.0},
                               {"original_max_position_embeddings", 64},
                               {"truncate", false}};
  const ModelSource source = with_config("qwen3", config);
  EXPECT_THROW(GgufExport(source, DType::kF32), Error);
}

}  // namespace
}  // namespace moebench
