#include <gtest/gtest.h>

#include <cmath>

#include "../made_run.h"
#include "engine/base/error.h"
#include "reports/cost/cost_report.h"
#include "reports/render/render.h"

namespace moebench {
namespace {

// DeepSeek's inference system overview, 2025-03-01: 226.75 nodes x 8 x 2 USD x 24 h = 87,072 USD;
// 562,027 USD of income, a margin of 545 %; 16 USD an hour over 14,800 tokens/s = 0.300 USD/M.
TEST(ServingDay, DeepSeeksPublishedFiguresComeOut) {
  const Catalog& catalog = built_in_catalog();
  const ServingDayCheck check =
      check_serving_day(catalog.deepseek_day, *catalog.api_price("DeepSeek-R1"));
  EXPECT_NEAR(check.cost_usd, 87072, 0.5);
  EXPECT_EQ(std::floor(check.margin_percent), 545);
  EXPECT_NEAR(check.income_usd, 562027, 100) << "token counts are stated in whole billions";
  EXPECT_NEAR(check.decode_usd_per_million, 0.300, 0.0005);
  EXPECT_NEAR(check.prefill_usd_per_million, 0.060, 0.0005);
  EXPECT_NEAR(check.prefill_nodes + check.decode_nodes, 226.9, 0.1);
}

TEST(ApiPrices, O1CostsTwentySevenTimesR1) {
  const Catalog& catalog = built_in_catalog();
  const ApiPrice *o1 = catalog.api_price("OpenAI o1"), *r1 = catalog.api_price("DeepSeek-R1");
  EXPECT_NEAR(o1->output_usd_per_million / r1->output_usd_per_million, 27.4, 0.05);
  EXPECT_NEAR(o1->input_usd_per_million / r1->input_usd_per_million, 27.3, 0.05);
}

TEST(UsdPerMillion, InferenceXFormulaByHand) {
  EXPECT_DOUBLE_EQ(usd_per_million(3.6, 1000), 1.0);  // 3.6 M tokens an hour for 3.60 USD
}

// 87,660 USD over 10 years of 8,766 h: 1 USD/h; 1 kW at PUE 1.5 and 0.1 USD/kWh: 0.15; upkeep 1 %
// of the capital: 0.1. Used half of the time: times two.
TEST(OwnedMachine, ByHand) {
  OwnedMachine m;
  m.capital_usd = 87660;
  m.life_years = 10;
  m.kilowatts = 1;
  m.usd_per_kwh = 0.1;
  m.overhead_of_power = 1.5;
  m.yearly_upkeep_of_capital = 0.01;
  m.utilisation = 0.5;
  EXPECT_NEAR(owned_usd_per_used_hour(m), 2 * (1 + 0.15 + 0.1), 1e-9);
  m.utilisation = 0;
  EXPECT_THROW(owned_usd_per_used_hour(m), Error);
}

TEST(Workload, CachedTokensHaveTheirOwnPrice) {
  const TokenPrice price{0.55, 0.14, 2.19};
  EXPECT_NEAR(monthly_usd({100e6, 10e6, 0.5}, price), 50 * 0.55 + 50 * 0.14 + 10 * 2.19, 1e-9);
}

TEST(BreakEven, ByHand) {
  // 1 USD/h is 730.5 USD a month; the API takes 10 USD for the workload.
  const BreakEven b = break_even({0, 1e6, 0}, {0, 0, 10}, 1, 1000, 1000);
  EXPECT_NEAR(b.load_factor, 73.05, 1e-9);
  EXPECT_NEAR(b.capacity_factor, 730.5 * 3600 / 1000, 1e-6);
  EXPECT_TRUE(b.reachable());
  EXPECT_FALSE(break_even({0, 1e6, 0}, {0, 0, 0.001}, 1, 1000, 1000).reachable());
}

// The model card: 671 B parameters, 37 B active; KV 61 layers x 576 elements.
TEST(ShapeCounts, DeepSeekV3HasThePublishedNumberOfParameters) {
  const ShapeCounts counts = count_shape(built_in_catalog().model("deepseek-v3"));
  EXPECT_NEAR(counts.total_parameters / 1e9, 671, 1);
  EXPECT_NEAR(counts.active_parameters / 1e9, 37.5, 1);
  EXPECT_DOUBLE_EQ(counts.kv_elements_per_token, 61 * 576);
  EXPECT_NEAR(count_shape(built_in_catalog().model("mixtral-8x7b")).total_parameters / 1e9, 46.7,
              0.1);
}

TEST(ExpectedDistinctExperts, ByHand) {
  EXPECT_DOUBLE_EQ(expected_distinct_experts(4, 1, 1), 1);
  EXPECT_DOUBLE_EQ(expected_distinct_experts(4, 1, 2), 4 * (1 - 0.75 * 0.75));
  EXPECT_NEAR(expected_distinct_experts(256, 8, 1e6), 256, 1e-9);
}

TEST(Projection, MoreBandwidthOrMoreGpusNeverSlowADecode) {
  const Catalog& catalog = built_in_catalog();
  const ModelShape& model = catalog.model("deepseek-v3");
  ServingPlan plan{.gpus = 16, .batch_per_gpu = 32};
  const Projection h800 = project(catalog, model, catalog.device("h800-sxm"), plan);
  const Projection h200 = project(catalog, model, catalog.device("h200-sxm"), plan);
  EXPECT_GT(h200.decode_tokens_per_second_per_gpu, h800.decode_tokens_per_second_per_gpu);
  plan.gpus = 64;
  EXPECT_GE(
      project(catalog, model, catalog.device("h200-sxm"), plan).decode.tokens_per_second_per_gpu,
      h200.decode.tokens_per_second_per_gpu * 0.999);
}

TEST(Projection, TheFitMeetsItsAnchorsAndStatesTheOthersErrors) {
  const FittedEfficiency fit = fit_efficiency(built_in_catalog());
  int held_out = 0;
  for (const auto& anchor : fit.anchors) {
    if (anchor.role == "fit") {
      EXPECT_NEAR(anchor.error(), 0, 1e-9) << anchor.id;
    } else {
      ++held_out;
    }
  }
  EXPECT_EQ(held_out, 4);
  EXPECT_GT(fit.decode, 0.05);
  EXPECT_LE(fit.decode, 1) << "nobody beats a roofline; an efficiency above 1 is a wrong roofline";
  EXPECT_GT(fit.prefill, 0.05);
  EXPECT_LE(fit.prefill, 1);
}

TEST(Projection, AModelThatDoesNotFitIsAnError) {
  const Catalog& catalog = built_in_catalog();
  EXPECT_THROW(
      project(catalog, catalog.model("deepseek-v3"), catalog.device("rtx-4090"), {.gpus = 8}),
      Error);
}

TEST(CostReport, HoldsTheRunTheApisByYearAndTheCheck) {
  CostQuestion question;
  question.runs.push_back(make_run({.label = "a run"}));
  question.project = built_in_catalog().model("deepseek-r1");
  question.gpu = "h800-sxm";
  question.plan.gpus = 144;
  question.plan.batch_per_gpu = 88;
  question.plan.context_tokens = 4989;
  const std::string text = render_console(build_cost_report(built_in_catalog(), question),
                                          {.color = false, .width = 200});
  for (const char* word : {"a run", "Prices of 2023", "Prices of 2025", "87,072", "545.5",
                           "projected", "held-out", "27.4 times", "break-even"})
    EXPECT_NE(text.find(word), std::string::npos) << word << " is not in\n" << text;
  question.gpu = "h20";
  EXPECT_THROW(build_cost_report(built_in_catalog(), question), Error)
      << "a device without a price must not be priced";
}

// 8 x 2.50 = 20 USD an hour, 730.5 hours a month: 14,610 USD, whatever the run recorded.
TEST(CostReport, ARunsMachineIsPricedAsSoManyGpus) {
  CostQuestion question;
  question.runs.push_back(make_run({.label = "a run"}));
  question.gpu = "h100-sxm";
  question.plan.gpus = 8;
  question.usd_per_gpu_hour = 2.5;
  question.gpu_prices_runs = true;
  const std::string text = render_console(build_cost_report(built_in_catalog(), question),
                                          {.color = false, .width = 200});
  for (const char* word : {"8 x NVIDIA H100 SXM at 2.50 USD a GPU-hour (given)", "20.0", "14,610",
                           "break-even", "measured"})
    EXPECT_NE(text.find(word), std::string::npos) << word << " is not in\n" << text;
  question.usd_per_gpu_hour.reset();
  question.gpu = "h20";
  EXPECT_THROW(build_cost_report(built_in_catalog(), question), Error)
      << "a device without a price must not be priced";
}

}  // namespace
}  // namespace moebench
