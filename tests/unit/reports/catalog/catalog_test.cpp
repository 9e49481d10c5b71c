#include "reports/catalog/catalog.h"

#include <gtest/gtest.h>

#include "engine/base/error.h"

namespace moebench {
namespace {

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string error_of_prices(const std::string& prices) {
  try {
    parse_catalog(catalog_file("devices.json"), prices, catalog_file("published.json"),
                  catalog_file("models.json"));
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

TEST(Catalog, EveryFigureHasItsSourceDateAndMark) {
  const Catalog& catalog = built_in_catalog();  // the reader itself insists on them
  EXPECT_GE(catalog.devices.size(), 10u);
  EXPECT_GE(catalog.api_prices.size(), 11u);
  EXPECT_GE(catalog.gpu_hours.size(), 37u);
  EXPECT_GE(catalog.accuracies.size(), 35u);
}

TEST(Catalog, APriceWithoutADateIsAnErrorThatNamesIt) {
  const std::string prices(catalog_file("prices.json"));
  const std::string message = error_of_prices(replaced(prices, "\"as_of\": \"2025-09-05\",", ""));
  EXPECT_NE(message.find("api[0]"), std::string::npos) << message;
  EXPECT_NE(message.find("as_of"), std::string::npos) << message;
  EXPECT_NE(error_of_prices(replaced(prices, "2025-09-05", "last year")).find("date"),
            std::string::npos);
  EXPECT_NE(error_of_prices(replaced(prices, "\"mark\": \"V\"", "\"mark\": \"?\"")).find("mark"),
            std::string::npos);
  EXPECT_NE(error_of_prices(replaced(prices, "\"provider\"", "\"provided\"")).find("provided"),
            std::string::npos)
      << "an unknown key must not pass in silence";
  EXPECT_NE(error_of_prices(replaced(prices, "0.27", "-0.27")).find("negative"), std::string::npos);
  EXPECT_NE(error_of_prices("{").find("no JSON"), std::string::npos);
}

TEST(Catalog, PeaksAreTheDenseOnes) {
  const Device& h100 = built_in_catalog().device("h100-sxm");
  EXPECT_DOUBLE_EQ(h100.bf16_flops, 989e12);
  EXPECT_DOUBLE_EQ(*h100.fp8_flops, 1979e12);
  EXPECT_DOUBLE_EQ(h100.bytes_per_second, 3.35e12);
}

TEST(Catalog, AnUnknownDeviceIsAnErrorThatListsTheKnown) {
  try {
    built_in_catalog().device("h1000");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_NE(error.remedy().find("h200-sxm"), std::string::npos);
  }
}

TEST(Catalog, TheNewestPriceOfADeviceIsTaken) {
  EXPECT_EQ(built_in_catalog().gpu_hour("h200-sxm")->as_of, "2026-09");
  EXPECT_DOUBLE_EQ(built_in_catalog().gpu_hour("h200-sxm", "on-demand")->usd_per_gpu_hour, 3.59);
  EXPECT_EQ(built_in_catalog().gpu_hour("h20"), nullptr) << "unknown stays unknown";
}

TEST(ShapeFromConfig, ReadsHuggingFaceKeysAndNamesWhatIsMissing) {
  const ModelShape m = shape_from_config(
      R"({"model_type": "deepseek_v3", "num_hidden_layers": 61, "hidden_size": 7168,
          "vocab_size": 129280, "num_attention_heads": 128, "n_routed_experts": 256,
          "num_experts_per_tok": 8, "n_shared_experts": 1, "intermediate_size": 18432,
          "moe_intermediate_size": 2048, "first_k_dense_replace": 3, "kv_lora_rank": 512,
          "q_lora_rank": 1536, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128,
          "v_head_dim": 128})",
      "config.json");
  const ModelShape& known = built_in_catalog().model("deepseek-r1");
  EXPECT_EQ(m.dense_layers, known.dense_layers);
  EXPECT_EQ(m.expert_width, known.expert_width);
  EXPECT_TRUE(m.latent_attention);
  try {
    shape_from_config(R"({"hidden_size": 5})", "x/config.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("num_hidden_layers"), std::string::npos);
  }
}

}  // namespace
}  // namespace moebench
