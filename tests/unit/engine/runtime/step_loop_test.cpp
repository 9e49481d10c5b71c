#include "engine/runtime/step_loop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "engine/backends/reference/reference_backend.h"
#include "tests/unit/engine/runtime/generation.h"

namespace moebench {
namespace {

RandomModel reference_model(RandomModelKind kind) {
  return make_random_model(kind, make_reference_backend());
}

std::int64_t prefill_tokens(const TestRun& run) {
  std::int64_t sum = 0;
  for (const StepRecord& step : run.steps) sum += step.prefill_tokens;
  return sum;
}

void expect_same(const TestRun& run, const TestRun& expected, const std::string& what) {
  ASSERT_EQ(run.results.size(), expected.results.size()) << what;
  for (const auto& [id, result] : run.results)
    EXPECT_TRUE(result == expected.results.at(id))
        << what << ": request " << id << " got other tokens or other bits of logits";
}

class StepLoopOf : public testing::TestWithParam<RandomModelKind> {};

TEST_P(StepLoopOf, BatchSizeAndNeighboursChangeNoBit) {
  const RandomModel model = reference_model(GetParam());
  const auto requests = mixed_requests(20);
  const TestRun alone = generate(model, loop_settings(1, 512), requests);
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), 0u);
  std::mt19937 bits(3);
  for (const std::int64_t batch : {2, 7, 16, 64}) {
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[bits() % i]);
    expect_same(generate(model, loop_settings(batch, 512), requests, order), alone,
                "batch of " + std::to_string(batch));
  }
}

TEST_P(StepLoopOf, ChunkSizeChangesNoBit) {
  const RandomModel model = reference_model(GetParam());
  const auto requests = mixed_requests(6);
  const TestRun whole = generate(model, loop_settings(1, 512), requests);
  for (const std::int64_t chunk : {1, 17, 64})
    expect_same(generate(model, loop_settings(1, chunk), requests), whole,
                "chunks of " + std::to_string(chunk));
}

TEST_P(StepLoopOf, ThePrefixCacheChangesWorkButNoBit) {
  const RandomModel model = reference_model(GetParam());
  const auto requests = mixed_requests(12);
  StepLoopSettings off = loop_settings(4, 128);
  off.prefix_cache = false;
  const TestRun without = generate(model, off, requests);
  const TestRun with = generate(model, loop_settings(4, 128), requests);
  expect_same(with, without, "prefix cache");
  std::int64_t prompts = 0, cached = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    prompts += static_cast<std::int64_t>(requests[i].prompt.size());
    cached += with.results.at(i).usage.cached_tokens;
    EXPECT_EQ(without.results.at(i).usage.cached_tokens, 0);
  }
  EXPECT_EQ(prefill_tokens(without), prompts);
  EXPECT_EQ(prefill_tokens(with), prompts - cached);
  EXPECT_EQ(cached, 7 * 64) << "eight prompts share two whole pages of preamble; one computes them";
}

TEST_P(StepLoopOf, PreemptionLosesNothing) {
  const RandomModel model = reference_model(GetParam());
  auto requests = mixed_requests(12);
  for (TestRequest& request : requests) request.max_tokens += 60;
  const TestRun roomy = generate(model, loop_settings(8, 128), requests);
  StepLoopSettings tight = loop_settings(8, 128);
  tight.n_pages = 8;  // a sequence may need seven
  const TestRun cramped = generate(model, tight, requests);
  EXPECT_EQ(roomy.preemptions, 0);
  EXPECT_GT(cramped.preemptions, 0) << "the test has to force preemption";
  expect_same(cramped, roomy, "tiny cache");
}

INSTANTIATE_TEST_SUITE_P(Models, StepLoopOf,
                         testing::Values(RandomModelKind::kLatentMixture,
                                         RandomModelKind::kGroupedMixture, RandomModelKind::kDense),
                         [](const auto& param_info) {
                           switch (param_info.param) {
                             case RandomModelKind::kLatentMixture:
                               return "LatentMixture";
                             case RandomModelKind::kGroupedMixture:
                               return "GroupedMixture";
                             default:
                               return "Dense";
                           }
                         });

TEST(StepLoop, SamplesOfOnePromptShareItsPagesAndDiffer) {
  const RandomModel model = reference_model(RandomModelKind::kLatentMixture);
  std::vector<TestRequest> requests(8, mixed_requests(2)[1]);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].sampling = {1.0, 1.0, 0, 99, i};
    requests[i].max_tokens = 20;
  }
  const TestRun run = generate(model, loop_settings(8, 512), requests);
  const std::int64_t prompt = static_cast<std::int64_t>(requests[0].prompt.size());
  const std::int64_t shared = (prompt - 1) / 32 * 32;
  EXPECT_EQ(prefill_tokens(run), prompt + 7 * (prompt - shared));
  for (std::size_t i = 1; i < requests.size(); ++i)
    EXPECT_NE(run.results.at(i).tokens, run.results.at(0).tokens);
}

TEST(StepLoop, StepRecordsAddUp) {
  const RandomModel model = reference_model(RandomModelKind::kLatentMixture);
  const auto requests = mixed_requests(5);
  const TestRun run = generate(model, loop_settings(3, 64), requests);
  std::int64_t output = 0, decode = 0;
  for (const auto& [id, result] : run.results) output += result.usage.output_tokens;
  for (const StepRecord& step : run.steps) {
    decode += step.decode_tokens;
    EXPECT_LE(step.begin, step.end);
    EXPECT_LE(step.prefill_tokens + step.decode_tokens, 64);
    const std::int64_t rows = step.prefill_tokens + step.decode_tokens;
    EXPECT_GE(step.activated_experts, 2 * 4) << "two mixture layers, four experts a token";
    EXPECT_LE(step.activated_experts, std::min<std::int64_t>(2 * 16, 2 * 4 * rows));
    EXPECT_GE(step.kv_tokens_read, rows);
    EXPECT_GT(step.flops, 0.0);
    EXPECT_GT(step.weight_bytes_read, step.activated_experts * 3 * 32 * 64 * 4);
  }
  EXPECT_EQ(decode, output - static_cast<std::int64_t>(requests.size()))
      << "each request's first token comes out of a prefill step";
}

std::unique_ptr<Sequence> endless_sequence(std::uint64_t id, const StepLoopSettings& settings) {
  auto s = std::make_unique<Sequence>();
  s->request_id = id;
  s->tokens = {1, 2, 3};
  s->prompt_tokens = 3;
  OutputLimits limits;
  limits.max_tokens = 1 << 20;
  limits.max_context_tokens = settings.max_context_tokens;
  s->output = std::make_unique<Output>(nullptr, StreamDecoderOptions{}, limits, 3);
  return s;
}

TEST(StepLoop, CancelEndsARequestWithItsUsage) {
  const RandomModel model = reference_model(RandomModelKind::kDense);
  StepLoopSettings settings = loop_settings(2, 64);
  settings.max_context_tokens = 4096;
  settings.n_pages = 256;
  StepLoop loop(model.config, model.weights, *model.backend, settings);
  loop.submit(endless_sequence(5, settings));
  GenerationEvent last;
  std::int64_t tokens = 0;
  bool cancelled = false;
  while (last.finish == FinishReason::kNone) {
    const auto events = loop.next_events(std::chrono::seconds(60));
    ASSERT_FALSE(events.empty());
    for (const auto& event : events) tokens += static_cast<std::int64_t>(event.tokens.size());
    last = events.back();
    if (!cancelled && tokens >= 3) {
      loop.cancel(5);
      cancelled = true;
    }
  }
  EXPECT_EQ(last.finish, FinishReason::kCancelled);
  EXPECT_EQ(last.usage.output_tokens, tokens);
  loop.cancel(5);  // a second time, and an unknown one: nothing happens
  loop.cancel(77);
}

TEST(StepLoop, AFullContextEndsTheGeneration) {
  const RandomModel model = reference_model(RandomModelKind::kDense);
  const StepLoopSettings settings = loop_settings(1, 64);
  StepLoop loop(model.config, model.weights, *model.backend, settings);
  loop.submit(endless_sequence(1, settings));
  GenerationEvent last;
  while (last.finish == FinishReason::kNone) {
    const auto events = loop.next_events(std::chrono::seconds(60));
    ASSERT_FALSE(events.empty());
    last = events.back();
  }
  EXPECT_EQ(last.finish, FinishReason::kContext);
  EXPECT_EQ(last.usage.prompt_tokens + last.usage.output_tokens, settings.max_context_tokens);
}

TEST(StepLoop, DestructionDoesNotWaitForRunningRequests) {
  const RandomModel model = reference_model(RandomModelKind::kDense);
  StepLoopSettings settings = loop_settings(2, 64);
  settings.max_context_tokens = 4096;
  settings.n_pages = 256;
  const auto begin = std::chrono::steady_clock::now();
  {
    StepLoop loop(model.config, model.weights, *model.backend, settings);
    loop.submit(endless_sequence(1, settings));
    loop.submit(endless_sequence(2, settings));
    (void)loop.next_events(std::chrono::seconds(60));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(StepLoop, LogitsThatAreNoNumbersFailTheRequestAlone) {
  RandomModel model = reference_model(RandomModelKind::kDense);
  std::vector<float> broken(64, std::numeric_limits<float>::quiet_NaN());
  model.weights.output_norm = model.backend->prepare_vector(
      {reinterpret_cast<const std::byte*>(broken.data()), DType::kF32, {64}});
  const TestRun run = generate(model, loop_settings(2, 64), mixed_requests(2));
  EXPECT_EQ(run.results.at(0).finish, FinishReason::kFailed);
  EXPECT_EQ(run.results.at(1).finish, FinishReason::kFailed);
}

}  // namespace
}  // namespace moebench
