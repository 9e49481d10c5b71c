#include "engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "engine/base/error.h"

namespace moebench {
namespace {

struct Answer {
  std::vector<std::int32_t> tokens;
  std::string thinking, text, failure;
  FinishReason finish = FinishReason::kNone;
  Usage usage;
};

std::map<std::uint64_t, Answer> answers(Engine& engine,
                                        const std::vector<GenerationRequest>& requests) {
  for (const GenerationRequest& request : requests) engine.submit(request);
  std::map<std::uint64_t, Answer> result;
  std::size_t ended = 0;
  while (ended < requests.size()) {
    const auto events = engine.next_events(std::chrono::seconds(120));
    EXPECT_FALSE(events.empty()) << "no event for two minutes";
    if (events.empty()) break;
    for (const GenerationEvent& event : events) {
      Answer& a = result[event.request_id];
      a.tokens.insert(a.tokens.end(), event.tokens.begin(), event.tokens.end());
      a.thinking += event.thinking_delta;
      a.text += event.text_delta;
      if (event.finish == FinishReason::kNone) continue;
      a.finish = event.finish;
      a.usage = event.usage;
      a.failure = event.failure;
      ++ended;
    }
  }
  return result;
}

EngineOptions canary_options(const std::string& device) {
  EngineOptions options;
  options.model = "canary";
  options.device = device;
  options.max_batch_sequences = 4;
  options.max_step_tokens = 64;
  return options;
}

GenerationRequest question(std::uint64_t id, const std::string& text, std::int64_t max_tokens) {
  GenerationRequest request;
  request.id = id;
  request.prompt = std::vector<ChatMessage>{{"user", text}};
  request.max_tokens = max_tokens;
  return request;
}

class EngineOn : public testing::TestWithParam<std::string> {};

TEST_P(EngineOn, TheCanaryAnswersAChat) {
  const auto engine = Engine::load(canary_options(GetParam()));
  EXPECT_EQ(engine->info().model_name, "canary");
  EXPECT_EQ(engine->info().family, "deepseek_v3");
  EXPECT_TRUE(engine->info().has_chat_template);
  EXPECT_EQ(engine->info().model_sha256.size(), 64u);
  EXPECT_GT(engine->info().total_parameters, engine->info().active_parameters);
  const auto result = answers(*engine, {question(1, "What is 2 + 3?", 24)});
  const Answer& a = result.at(1);
  EXPECT_TRUE(a.finish == FinishReason::kLength || a.finish == FinishReason::kEos);
  EXPECT_GT(a.usage.output_tokens, 0);
  EXPECT_EQ(a.usage.output_tokens, static_cast<std::int64_t>(a.tokens.size()));
  EXPECT_FALSE(a.thinking.empty()) << "the canary's template opens its thinking";
  EXPECT_GT(a.usage.thinking_tokens, 0);
  std::int64_t routed = 0;
  for (const std::int64_t count : engine->expert_token_counts()) routed += count;
  EXPECT_EQ(routed % (engine->info().n_moe_layers * engine->info().experts_per_token), 0);
  EXPECT_GT(routed, 0);
}

TEST_P(EngineOn, AThinkingBudgetClosesTheThinking) {
  const auto engine = Engine::load(canary_options(GetParam()));
  GenerationRequest request = question(1, "A farm has 12 cows and buys 7 more. How many cows?", 40);
  request.max_thinking_tokens = 6;
  const auto result = answers(*engine, {request});
  EXPECT_LE(result.at(1).usage.thinking_tokens, 6);
  EXPECT_GT(result.at(1).usage.thinking_tokens, 0);
}

TEST_P(EngineOn, WhatIsWrongWithARequestComesAsAnEvent) {
  const auto engine = Engine::load(canary_options(GetParam()));
  GenerationRequest too_long;
  too_long.id = 1;
  too_long.prompt =
      std::vector<std::int32_t>(static_cast<std::size_t>(engine->info().max_context_tokens + 1), 5);
  GenerationRequest unknown_token;
  unknown_token.id = 2;
  unknown_token.prompt = std::vector<std::int32_t>{1, 1 << 30};
  GenerationRequest empty;
  empty.id = 3;
  empty.prompt = std::vector<std::int32_t>{};
  GenerationRequest bad_sampling = question(4, "?", 4);
  bad_sampling.sampling.top_p = 0;
  const auto result =
      answers(*engine, {too_long, unknown_token, empty, bad_sampling, question(5, "1 + 1", 2)});
  for (std::uint64_t id = 1; id <= 4; ++id) {
    EXPECT_EQ(result.at(id).finish, FinishReason::kFailed) << id;
    EXPECT_FALSE(result.at(id).failure.empty()) << id;
  }
  EXPECT_NE(result.at(5).finish, FinishReason::kFailed) << "the others are served";
}

INSTANTIATE_TEST_SUITE_P(Devices, EngineOn, testing::Values("cpu", "reference"),
                         [](const auto& param_info) { return param_info.param; });

TEST(EngineOnCpu, TheCanarySaysTheSameWhateverSharesTheBatch) {
  std::vector<GenerationRequest> requests;
  for (std::uint64_t i = 0; i < 18; ++i) {
    requests.push_back(question(i,
                                "Tom has " + std::to_string(3 + i) + " apples and buys " +
                                    std::to_string(2 * i + 1) + " more. How many has he now?",
                                24 + static_cast<std::int64_t>(i)));
    if (i % 2 == 1) requests.back().sampling = {0.8, 0.95, 0, 7, i};
  }
  for (const char* weight_type : {"f32", "q8_0"}) {
    EngineOptions alone = canary_options("cpu");
    alone.weight_type = weight_type;
    alone.threads = 1;
    alone.max_batch_sequences = 1;
    alone.prefix_cache = false;
    const auto expected = answers(*Engine::load(alone), requests);
    for (const std::int64_t batch : {2, 7, 16}) {
      EngineOptions together = canary_options("cpu");
      together.weight_type = weight_type;
      together.threads = 2;
      together.max_batch_sequences = batch;
      auto shuffled = requests;
      std::rotate(shuffled.begin(), shuffled.begin() + batch % 5, shuffled.end());
      const auto got = answers(*Engine::load(together), shuffled);
      for (const auto& [id, answer] : expected) {
        EXPECT_EQ(got.at(id).tokens, answer.tokens) << weight_type << ", batch " << batch;
        EXPECT_EQ(got.at(id).text, answer.text);
        EXPECT_EQ(got.at(id).thinking, answer.thinking);
      }
    }
  }
}

TEST(EngineLoad, RefusesWhatItCannotDoWithAReason) {
  const auto code_of = [](EngineOptions options) {
    try {
      (void)Engine::load(options);
    } catch (const Error& error) {
      EXPECT_FALSE(std::string(error.what()).empty());
      return error.code();
    }
    ADD_FAILURE() << "loaded";
    return ErrorCode::kInternal;
  };
  EngineOptions options = canary_options("reference");
  options.device = "abacus";
  EXPECT_EQ(code_of(options), ErrorCode::kUsage);
  options = canary_options("reference");
  options.kv_cache_type = "f8";
  EXPECT_EQ(code_of(options), ErrorCode::kUsage);
  options = canary_options("reference");
  options.weight_type = "q9";
  EXPECT_EQ(code_of(options), ErrorCode::kUsage);
  options = canary_options("reference");
  options.max_step_tokens = 1;
  EXPECT_EQ(code_of(options), ErrorCode::kUsage);
  options = canary_options("reference");
  options.kv_cache_bytes = std::int64_t{1} << 60;
  EXPECT_EQ(code_of(options), ErrorCode::kDevice) << "more than the machine has";
  options = canary_options("reference");
  options.model = "/no/such/model";
  EXPECT_EQ(code_of(options), ErrorCode::kBadModel) << "exit code 2, as the README's table says";
}

}  // namespace
}  // namespace moebench
