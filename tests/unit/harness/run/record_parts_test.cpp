#include "harness/run/record_parts.h"

#include <gtest/gtest.h>

namespace moebench {
namespace {

TEST(AddSteps, SumsKindByKind) {
  StepKindSummary prefill;
  prefill.kind = "prefill";
  prefill.steps = 1;
  prefill.seconds = 0.5;
  prefill.prefill_tokens = 100;
  StepKindSummary decode;
  decode.kind = "decode";
  decode.steps = 10;
  decode.decode_tokens = 80;
  decode.flops = 3;
  std::vector<StepKindSummary> total = {prefill};
  add_steps(total, {decode, prefill});
  ASSERT_EQ(total.size(), 2u);
  EXPECT_EQ(total[0].steps, 2);
  EXPECT_EQ(total[0].seconds, 1.0);
  EXPECT_EQ(total[0].prefill_tokens, 200);
  EXPECT_EQ(total[1].decode_tokens, 80);
  EXPECT_EQ(total[1].flops, 3);
}

TEST(AddExpertLoad, AddsTheEarlierSegmentsRowByRow) {
  const std::vector<std::int64_t> counts = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(add_expert_load({}, counts, 2, 3),
            (std::vector<std::vector<std::int64_t>>{{1, 2, 3}, {4, 5, 6}}));
  EXPECT_EQ(add_expert_load({{10, 0, 0}, {0, 0, 20}}, counts, 2, 3),
            (std::vector<std::vector<std::int64_t>>{{11, 2, 3}, {4, 5, 26}}));
}

TEST(AddExpertLoad, KeepsTheEarlierOnesWhereTheEngineTellsNothing) {
  const std::vector<std::vector<std::int64_t>> earlier = {{1, 2}};
  EXPECT_EQ(add_expert_load(earlier, {}, 0, 0), earlier);
}

TEST(StepSamples, CountFromTheSegmentsStart) {
  const auto start = std::chrono::steady_clock::now();
  StepRecord step;
  step.begin = start + std::chrono::milliseconds(5);
  step.end = start + std::chrono::milliseconds(7);
  step.decode_tokens = 3;
  const std::vector<StepSample> samples = step_samples(std::vector<StepRecord>{step}, start, 4);
  ASSERT_EQ(samples.size(), 1u);
  EXPECT_DOUBLE_EQ(samples[0].begin_ms, 5);
  EXPECT_DOUBLE_EQ(samples[0].end_ms, 7);
  EXPECT_EQ(samples[0].segment, 4);
  EXPECT_EQ(samples[0].decode_tokens, 3);
}

}  // namespace
}  // namespace moebench
