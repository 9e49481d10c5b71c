#include "reports/metrics/throughput.h"

#include <gtest/gtest.h>

#include "../made_run.h"
#include "reports/metrics/run_cost.h"

namespace moebench {
namespace {

SampleRecord request(std::int64_t segment, double issued, double first, double last) {
  SampleRecord s;
  s.task = "t";
  s.question_id = std::to_string(segment) + "-" + std::to_string(issued);
  s.verdict = verdicts::kCorrect;
  s.segment = segment;
  s.prompt_tokens = 100;
  s.cached_tokens = 20;
  s.output_tokens = 50;
  s.timing.issued_ms = issued;
  s.timing.first_token_ms = first;
  s.timing.last_token_ms = last;
  return s;
}

TEST(WallSeconds, ThePauseBeforeAResumeIsNoWork) {
  const std::vector<SampleRecord> samples = {request(0, 100, 10, 900), request(0, 500, 10, 600),
                                             request(1, 0, 10, 2000)};
  EXPECT_DOUBLE_EQ(wall_seconds(samples), 1.0 + 2.0);
}

TEST(PhaseTime, AMixedPassIsDividedByItsRows) {
  LoadedRun run;
  run.run.steps = {{.kind = "prefill", .seconds = 1, .prefill_tokens = 100},
                   {.kind = "decode", .seconds = 2, .decode_tokens = 10},
                   {.kind = "mixed", .seconds = 4, .prefill_tokens = 30, .decode_tokens = 10}};
  const auto time = phase_time(run);
  ASSERT_TRUE(time);
  EXPECT_TRUE(time->from_steps);
  EXPECT_DOUBLE_EQ(time->prefill_seconds, 1 + 3);
  EXPECT_DOUBLE_EQ(time->decode_seconds, 2 + 1);
  const ThroughputMetrics speed = throughput_metrics(run);
  EXPECT_DOUBLE_EQ(*speed.prefill_tokens_per_second, 130 / 4.0);
  EXPECT_DOUBLE_EQ(*speed.decode_tokens_per_second, 20 / 3.0);
}

TEST(PhaseTime, WithoutPassesTheRequestsOwnTimesDivide) {
  LoadedRun run;
  run.samples = {request(0, 0, 1000, 4000)};
  const auto time = phase_time(run);
  ASSERT_TRUE(time);
  EXPECT_FALSE(time->from_steps);
  EXPECT_DOUBLE_EQ(time->prefill_share(), 0.25);
  EXPECT_FALSE(throughput_metrics(run).decode_tokens_per_second)
      << "an engine that shows no passes has no decode tokens/s";
}

// 3,600 s at 2 USD/h: 2 USD. A quarter of the time is prefill: 0.50 USD over 80 computed tokens,
// 1.50 USD over 50 output tokens.
TEST(RunCost, InputAndOutputAddUpToTheBill) {
  LoadedRun run;
  run.samples = {request(0, 0, 900'000, 3'600'000)};
  const auto cost = run_cost(run, 2.0);
  ASSERT_TRUE(cost);
  EXPECT_DOUBLE_EQ(cost->total_usd, 2);
  EXPECT_DOUBLE_EQ(cost->price.input_usd_per_million, 0.5 / 80 * 1e6);
  EXPECT_DOUBLE_EQ(cost->price.output_usd_per_million, 1.5 / 50 * 1e6);
  EXPECT_DOUBLE_EQ(cost->blended_usd_per_million, 2.0 / 150 * 1e6);
  EXPECT_NEAR(sample_usd(run.samples[0], cost->price), 2, 1e-12);
  EXPECT_FALSE(run_cost(run)) << "without a price there is no cost";
}

TEST(RunCost, EverySampleIsChargedAndNothingTwice) {
  const LoadedRun run = make_run({});
  const auto cost = run_cost(run);
  ASSERT_TRUE(cost);
  double sum = 0;
  for (const SampleRecord& sample : run.samples) sum += sample_usd(sample, cost->price);
  EXPECT_NEAR(sum, cost->total_usd, 1e-9 * cost->total_usd);
}

TEST(AnswerCost, PerCorrectAnswerIsTotalOverCorrect) {
  const LoadedRun run = make_run({});
  const auto cost = run_cost(run);
  const AnswerCost answer = answer_cost(run.samples, "stories", cost->price);
  ASSERT_TRUE(answer.usd_per_correct);
  EXPECT_NEAR(*answer.usd_per_correct, answer.usd / static_cast<double>(answer.correct), 1e-15);
  EXPECT_TRUE(answer.usd_per_correct_interval.contains(*answer.usd_per_correct));
}

TEST(AnswerCost, WithoutACorrectAnswerThereIsNoSuchCost) {
  LoadedRun run = make_run({.questions = 20, .ability = -1});
  const AnswerCost answer = answer_cost(run.samples, "", {1, 0, 1});
  EXPECT_EQ(answer.correct, 0);
  EXPECT_FALSE(answer.usd_per_correct);
}

TEST(Utilisation, CountsTouchedExpertsAndKvBytesOverThePeak) {
  RunRecord run;
  run.model.kv_bytes_per_token = 10;
  run.environment.peak_bytes_per_second = 2000;
  run.steps = {{.kind = "decode",
                .seconds = 2,
                .decode_tokens = 5,
                .kv_tokens_read = 40,
                .weight_bytes_read = 1600,
                .flops = 100}};
  const auto rows = utilisation(run);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_DOUBLE_EQ(rows[0].bytes_per_second, (1600 + 400) / 2.0);
  EXPECT_DOUBLE_EQ(*rows[0].s_mbu, 0.5);
  EXPECT_FALSE(rows[0].s_mfu) << "an unknown peak gives no share";
}

}  // namespace
}  // namespace moebench
