#include "harness/clients/worker_protocol.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace moebench {
namespace {

// What comes out of a stream that one frame was put into.
WorkerMessage sent(const WorkerMessage& message) {
  FrameReader reader;
  reader.add(encode_frame(message));
  auto body = reader.next();
  EXPECT_TRUE(body.has_value() && body->has_value());
  auto decoded = decode_message(**body);
  EXPECT_TRUE(decoded.has_value()) << decoded.error();
  return *decoded;
}

GenerationRequest request() {
  GenerationRequest request;
  request.id = std::numeric_limits<std::uint64_t>::max();
  request.prompt = std::vector<ChatMessage>{{"user", "caf\u00e9 \"quoted\"\n"}, {"assistant", ""}};
  request.sampling = {0.7, 0.95, 40, 0xfedcba9876543210u, 3};
  request.max_tokens = 123;
  request.max_thinking_tokens = 45;
  request.stop = {"Q:", "\u2603"};
  request.top_logprobs = 2;
  return request;
}

TEST(WorkerProtocol, CarriesARequestAsItIs) {
  const auto got = std::get<SubmitMessage>(sent(SubmitMessage{request()})).request;
  EXPECT_EQ(got.id, request().id);
  const auto& messages = std::get<std::vector<ChatMessage>>(got.prompt);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].content, "caf\u00e9 \"quoted\"\n");
  EXPECT_EQ(messages[1].role, "assistant");
  EXPECT_EQ(got.sampling.temperature, 0.7);
  EXPECT_EQ(got.sampling.top_p, 0.95);
  EXPECT_EQ(got.sampling.seed, 0xfedcba9876543210u);
  EXPECT_EQ(got.sampling.sample_index, 3u);
  EXPECT_EQ(got.max_tokens, 123);
  EXPECT_EQ(got.max_thinking_tokens, 45);
  EXPECT_EQ(got.stop, request().stop);
  EXPECT_EQ(got.top_logprobs, 2);
}

TEST(WorkerProtocol, CarriesEveryKindOfPrompt) {
  GenerationRequest text = request(), tokens = request();
  text.prompt = std::string("raw");
  tokens.prompt = std::vector<std::int32_t>{1, -2, 2'000'000'000};
  const auto prompt_of = [](const GenerationRequest& r) {
    return std::get<SubmitMessage>(sent(SubmitMessage{r})).request.prompt;
  };
  EXPECT_EQ(std::get<std::string>(prompt_of(text)), "raw");
  EXPECT_EQ(std::get<std::vector<std::int32_t>>(prompt_of(tokens)),
            (std::vector<std::int32_t>{1, -2, 2'000'000'000}));
}

TEST(WorkerProtocol, DISABLED_CarriesEventsToTheLastBit) {
  EventsMessage message;
  GenerationEvent& event = message.events.emplace_back();
  event.request_id = 9;
  event.time = std::chrono::steady_clock::time_point(std::chrono::nanoseconds(1234567890123456789));
  event.tokens = {5, 6};
  event.logprobs = {{-0.1f, {{5, -0.1f}, {7, std::nextafterf(-3, 0)}}},
                    {-std::numeric_limits<float>::infinity(), {}}};
  event.thinking_delta = "hm";
  event.text_delta = "so\0so";
  message.events.push_back(event);
  message.events[1].finish = FinishReason::kStopString;
  message.events[1].usage = {10, 4, 7, 2};
  message.steps.push_back({event.time, event.time, 1, 2, 3, 4, 5, 6, 1.5e15});
  message.expert_token_counts = {1, 0, std::numeric_limits<std::int64_t>::max()};
  message.peak_memory_bytes = 1 << 30;

  const auto got = std::get<EventsMessage>(sent(message));
  ASSERT_EQ(got.events.size(), 2u);
  EXPECT_EQ(got.events[0].time, event.time);
  EXPECT_EQ(got.events[0].tokens, event.tokens);
  ASSERT_EQ(got.events[0].logprobs.size(), 2u);
  EXPECT_EQ(got.events[0].logprobs[0].top, event.logprobs[0].top);
  EXPECT_EQ(got.events[0].logprobs[1].logprob, event.logprobs[1].logprob);
  EXPECT_EQ(got.events[0].finish, FinishReason::kNone);
  EXPECT_EQ(got.events[1].finish, FinishReason::kStopString);
  EXPECT_EQ(got.events[1].usage.cached_tokens, 4);
  EXPECT_EQ(got.events[1].usage.thinking_tokens, 2);
  ASSERT_EQ(got.steps.size(), 1u);
  EXPECT_EQ(got.steps[0].flops, 1.5e15);
  EXPECT_EQ(got.expert_token_counts, message.expert_token_counts);
}

TEST(WorkerProtocol, CarriesOptionsAndWhatWasLoaded) {
  EngineOptions options;
  options.model = "a b.gguf";
  options.weight_type = "q8_0";
  options.prefix_cache = false;
  const auto load = std::get<LoadMessage>(sent(LoadMessage{options})).options;
  EXPECT_EQ(load.model, options.model);
  EXPECT_EQ(load.weight_type, options.weight_type);
  EXPECT_FALSE(load.prefix_cache);
  options.weight_type.reset();
  EXPECT_FALSE(std::get<LoadMessage>(sent(LoadMessage{options})).options.weight_type.has_value());

  ReadyMessage ready;
  ready.info.engine.model_sha256 = "abc";
  ready.info.engine.load_seconds = 0.1;
  EXPECT_EQ(std::get<ReadyMessage>(sent(ready)).info.engine.load_seconds, 0.1);
}

TEST(WorkerProtocol, ReplacesWhatIsNoUtf8InAFailureAndRefusesItInAPrompt) {
  const auto failure =
      std::get<FailureMessage>(sent(FailureMessage{ErrorCode::kBadModel, "bad \xff name", "mend"}));
  EXPECT_EQ(failure.what, "bad \uFFFD name");
  EXPECT_EQ(failure.code, ErrorCode::kBadModel);
  GenerationRequest bad = request();
  bad.prompt = std::string("bad \xff prompt");
  EXPECT_THROW(encode_frame(SubmitMessage{bad}), Error);
}

TEST(FrameReader, PutsPiecesTogether) {
  const std::string stream = encode_frame(CancelMessage{1}) + encode_frame(CancelMessage{2});
  FrameReader reader;
  std::vector<std::uint64_t> ids;
  for (const char byte : stream) {
    reader.add({&byte, 1});
    auto body = reader.next();
    ASSERT_TRUE(body.has_value());
    if (*body) ids.push_back(std::get<CancelMessage>(*decode_message(**body)).request_id);
  }
  EXPECT_EQ(ids, (std::vector<std::uint64_t>{1, 2}));
}

TEST(FrameReader, RefusesAFrameBeyondTheLimitBeforeItArrives) {
  FrameReader reader;
  reader.add(std::string("\x01\x00\x00\x04", 4));  // 64 MiB and one byte
  EXPECT_FALSE(reader.next().has_value());
}

TEST(WorkerProtocol, TellsWhatIsWrongWithHostileMessages) {
  const std::string deep = std::string(1'000'000, '[');
  for (const std::string& body :
       {std::string(), std::string("x"), std::string("[]"), std::string("{}"), deep,
        std::string(R"({"type":"cancel"})"), std::string(R"({"type":"cancel","request_id":-1})"),
        std::string(R"({"type":"cancel","request_id":1e30})"),
        std::string(R"({"type":"cancel","request_id":18446744073709551616})"),
        std::string(R"({"type":"nothing"})"), std::string(R"({"type":7})"),
        std::string(R"({"type":"failure","code":99,"what":"","remedy":""})"),
        std::string(R"({"type":"events","events":[{}],"steps":[],"expert_token_counts":[],)"
                    R"("peak_memory_bytes":0})")}) {
    const auto decoded = decode_message(body);
    ASSERT_FALSE(decoded.has_value()) << body.substr(0, 80);
    EXPECT_FALSE(decoded.error().empty());
  }
}

TEST(WorkerProtocol, SurvivesDamage) {
  EventsMessage message;
  GenerationEvent& event = message.events.emplace_back();
  event.tokens = {1, 2, 3};
  event.logprobs = {{-1, {{1, -1}}}};
  event.text_delta = "text";
  event.finish = FinishReason::kEos;
  const std::string whole =
      encode_frame(message) + encode_frame(SubmitMessage{request()}) + encode_frame(ReadyMessage{});
  std::mt19937 random(1);
  std::size_t understood = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = whole;
    for (int i = 0; i < 1 + round % 4; ++i)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    if (round % 3 == 0) damaged.resize(random() % damaged.size());
    FrameReader reader;
    reader.add(damaged);
    for (int frame = 0; frame < 10; ++frame) {
      const auto body = reader.next();
      if (!body || !*body) break;
      if (decode_message(**body)) ++understood;
    }
  }
  EXPECT_GT(understood, 1000u) << "the damage should leave some messages whole";
}

}  // namespace
}  // namespace moebench
