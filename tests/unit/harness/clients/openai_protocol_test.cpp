#include "harness/clients/openai_protocol.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "harness/clients/openai_sse.h"
#include "harness/clients/openai_thinking.h"

namespace moebench {
namespace {

using Json = nlohmann::json;

GenerationRequest chat() {
  GenerationRequest request;
  request.prompt = std::vector<ChatMessage>{{"user", "How many?"}};
  request.sampling = {0.7, 0.95, 0, 0xfedcba9876543210u, 1};
  request.max_tokens = 12;
  return request;
}

Json body(const GenerationRequest& request, ServerKind kind) {
  const auto text = request_body(request, "m", kind);
  EXPECT_TRUE(text.has_value()) << text.error();
  return Json::parse(*text);
}

StreamChunk chunk(std::string_view payload) {
  const auto read = parse_chunk(payload);
  EXPECT_TRUE(read.has_value()) << read.error() << " in " << payload;
  return read ? *read : StreamChunk{};
}

TEST(OpenAiProtocol, KnowsServersByWhoOwnsTheirModels) {
  EXPECT_EQ(server_kind("moebench"), ServerKind::kMoebench);
  EXPECT_EQ(server_kind("vllm"), ServerKind::kVllm);
  EXPECT_EQ(server_kind("sglang"), ServerKind::kVllm);
  EXPECT_EQ(server_kind("llamacpp"), ServerKind::kLlamaCpp);
  EXPECT_EQ(server_kind("me"), ServerKind::kLlamaCpp);  // llama-cpp-python's server
  EXPECT_EQ(server_kind("openai-internal"), ServerKind::kOpenAi);
  EXPECT_EQ(server_kind("somebody"), ServerKind::kUnknown);
}

// A server's default must not decide what a run measures: llama-cpp-python's penalty of 1.1 on what
// was said before changed 6 of 40 greedy answers.
TEST(OpenAiProtocol, SwitchesOffTheDefaultsThatServersHave) {
  const Json llama = body(chat(), ServerKind::kLlamaCpp);
  EXPECT_EQ(llama["top_k"], 0);
  EXPECT_EQ(llama["min_p"], 0);
  EXPECT_EQ(llama["repeat_penalty"], 1);
  const Json vllm = body(chat(), ServerKind::kVllm);
  EXPECT_EQ(vllm["top_k"], -1);
  EXPECT_EQ(vllm["min_p"], 0);
  EXPECT_EQ(vllm["repetition_penalty"], 1);
  GenerationRequest narrow = chat();
  narrow.sampling.top_k = 20;
  for (const ServerKind kind : {ServerKind::kLlamaCpp, ServerKind::kVllm, ServerKind::kMoebench,
                                ServerKind::kUnknown, ServerKind::kOpenAi}) {
    EXPECT_EQ(body(narrow, kind)["top_k"], 20);
    EXPECT_EQ(body(narrow, kind)["top_p"], 0.95);
  }
}

TEST(OpenAiProtocol, SendsOthersOnlyWhatTheApiDocuments) {
  const std::set<std::string> documented = {
      "model",      "stream",      "stream_options", "messages", "seed",
      "max_tokens", "temperature", "top_p",          "stop",     "max_completion_tokens"};
  for (const ServerKind kind : {ServerKind::kUnknown, ServerKind::kOpenAi}) {
    const Json sent = body(chat(), kind);
    for (const auto& [field, value] : sent.items()) {
      EXPECT_TRUE(documented.contains(field)) << field;
    }
  }
  EXPECT_EQ(body(chat(), ServerKind::kOpenAi)["max_completion_tokens"], 12);
  EXPECT_EQ(body(chat(), ServerKind::kUnknown)["max_tokens"], 12);
}

TEST(OpenAiProtocol, GivesEachSampleASeedThatServersTake) {
  GenerationRequest first = chat(), second = chat();
  second.sampling.sample_index = 2;
  const Json a = body(first, ServerKind::kVllm)["seed"],
             b = body(second, ServerKind::kVllm)["seed"];
  EXPECT_NE(a, b);
  EXPECT_GE(a.get<std::int64_t>(), 0);
  EXPECT_LT(a.get<std::int64_t>(), std::int64_t{1} << 31);
  EXPECT_EQ(body(first, ServerKind::kMoebench)["seed"].get<std::uint64_t>(), 0xfedcba9876543210u);
  first.sampling.temperature = 0;
  EXPECT_FALSE(body(first, ServerKind::kVllm).contains("seed"));
}

TEST(OpenAiProtocol, RefusesWhatAServerCannotBeAskedFor) {
  GenerationRequest request = chat();
  request.max_thinking_tokens = 5;
  EXPECT_FALSE(request_body(request, "m", ServerKind::kVllm).has_value());
  EXPECT_EQ(body(request, ServerKind::kMoebench)["max_thinking_tokens"], 5);
  request = chat();
  request.top_logprobs = 1;
  EXPECT_FALSE(request_body(request, "m", ServerKind::kMoebench).has_value());
}

TEST(OpenAiProtocol, ReadsChunksOfEveryShape) {
  EXPECT_EQ(chunk(R"({"choices":[{"text":"a"}]})").text, "a");
  EXPECT_EQ(chunk(R"({"choices":[{"delta":{"content":"b"}}]})").text, "b");
  EXPECT_EQ(chunk(R"({"choices":[{"delta":{"reasoning_content":"c"}}]})").thinking, "c");
  EXPECT_EQ(chunk(R"({"choices":[{"delta":{"reasoning":"d"}}]})").thinking, "d");
  EXPECT_EQ(chunk(R"({"choices":[{"delta":{},"finish_reason":"stop"}]})").finish_reason, "stop");
  EXPECT_FALSE(chunk(R"({"choices":[]})").has_choice);
  EXPECT_EQ(chunk(R"({"choices":[{"text":null,"token_ids":[7,8]}]})").token_ids,
            (std::vector<std::int32_t>{7, 8}));
}

TEST(OpenAiProtocol, ReadsCountsAsEachServerTellsThem) {
  const Usage openai = *chunk(R"({"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":5,
      "prompt_tokens_details":{"cached_tokens":16},
      "completion_tokens_details":{"reasoning_tokens":3}}})")
                            .usage;
  EXPECT_EQ(openai.prompt_tokens, 20);
  EXPECT_EQ(openai.output_tokens, 5);
  EXPECT_EQ(openai.cached_tokens, 16);
  EXPECT_EQ(openai.thinking_tokens, 3);
  // llama.cpp's server of February 2025.
  const Usage llama = *chunk(R"({"choices":[{"finish_reason":"length","delta":{}}],
      "usage":{"completion_tokens":3,"prompt_tokens":19},"timings":{"prompt_n":1}})")
                           .usage;
  EXPECT_EQ(llama.cached_tokens, 18);
  EXPECT_FALSE(chunk(R"({"choices":[],"usage":null})").usage.has_value());
}

TEST(OpenAiProtocol, TakesNoChunkThatIsBroken) {
  for (const char* payload :
       {"", "{", "[]", "7", R"({"choices":7})", R"({"choices":[7]})", R"({"choices":[{"text":7}]})",
        R"({"choices":[{"text":"a","finish_reason":[]}]})",
        R"({"choices":[],"usage":{"prompt_tokens":-1}})",
        R"({"choices":[],"usage":{"prompt_tokens":1e300}})",
        R"({"choices":[],"usage":{"prompt_tokens":18446744073709551615}})",
        R"({"choices":[{"token_ids":["x"]}]})", R"({"error":{"message":"out of memory"}})",
        "{\"choices\":[{\"text\":\"\xff\xfe\"}]}"}) {
    EXPECT_FALSE(parse_chunk(payload).has_value()) << payload;
  }
  EXPECT_FALSE(parse_chunk(std::string(100'000, '[')).has_value());
  EXPECT_FALSE(parse_models(std::string(100'000, '[')).has_value());
  EXPECT_FALSE(parse_models(R"({"data":[{"id":7}]})").has_value());
  EXPECT_FALSE(parse_models(R"({"data":[{"id":"\u001b[2J"}]})").has_value());
  const auto models = parse_models(R"({"data":[{"id":"a/b c","owned_by":"\u001b[2J"}]})");
  ASSERT_TRUE(models.has_value());
  EXPECT_EQ(models->front().owned_by, " [2J");
}

TEST(OpenAiProtocol, TellsAnErrorsMessageInPrintableText) {
  EXPECT_EQ(error_message(R"({"error":{"message":"slow\u0007down"}})"), "slow down");
  EXPECT_EQ(error_message(R"({"error":"no"})"), "no");
  EXPECT_EQ(error_message(R"({"detail":"no"})"), "no");
  EXPECT_EQ(error_message("<html>\n\x1b[31m"), "<html>  [31m");
  EXPECT_LE(error_message(std::string(1'000'000, 'x')).size(), 410u);
}

TEST(OpenAiProtocol, NamesTheEndInOurWords) {
  const auto end = [](const char* payload, ServerKind kind, bool stops, bool hit_limit) {
    GenerationRequest request = chat();
    if (stops) request.stop = {"Q:"};
    return finish_of(chunk(payload), request, kind, hit_limit);
  };
  const char* stop = R"({"choices":[{"text":"","finish_reason":"stop"}]})";
  const char* length = R"({"choices":[{"text":"","finish_reason":"length"}]})";
  EXPECT_EQ(end(stop, ServerKind::kLlamaCpp, false, true), FinishReason::kEos);
  EXPECT_EQ(end(stop, ServerKind::kLlamaCpp, true, false), FinishReason::kStopString);
  EXPECT_EQ(end(length, ServerKind::kLlamaCpp, false, true), FinishReason::kLength);
  EXPECT_EQ(end(length, ServerKind::kLlamaCpp, false, false), FinishReason::kContext);
  EXPECT_EQ(end(stop, ServerKind::kUnknown, false, true), FinishReason::kLength);
  EXPECT_EQ(end(R"({"choices":[{"text":"","finish_reason":"stop","stop_reason":null}]})",
                ServerKind::kVllm, true, false),
            FinishReason::kEos);
  EXPECT_EQ(end(R"({"choices":[{"text":"","finish_reason":"length","finish_detail":"context"}]})",
                ServerKind::kMoebench, false, false),
            FinishReason::kContext);
}

TEST(OpenAiSse, CutsAStreamHoweverItsBytesAreSplit) {
  const std::string stream =
      ": hello\r\ndata: {\"a\":1}\r\n\r\nevent: x\ndata:b\n\ndata: [DONE]\n\n";
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    SseParser parser(64);
    std::vector<std::string> payloads;
    EXPECT_TRUE(parser.feed(std::string_view(stream).substr(0, cut), payloads));
    EXPECT_TRUE(parser.feed(std::string_view(stream).substr(cut), payloads));
    EXPECT_EQ(payloads, (std::vector<std::string>{"{\"a\":1}", "b", "[DONE]"})) << "cut at " << cut;
  }
  SseParser parser(64);
  std::vector<std::string> payloads;
  EXPECT_FALSE(parser.feed("data: " + std::string(65, 'x'), payloads));
  EXPECT_FALSE(parser.feed("\ndata: b\n", payloads));
  EXPECT_TRUE(payloads.empty());
}

TEST(OpenAiThinking, IsToldFromTheAnswerHoweverThePiecesFall) {
  const std::string text = " <think>so 3<4\n</think>\nIt is 4. <think>";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    InlineThinking splitter(false);
    std::string thinking, answer;
    for (const std::string& piece : {text.substr(0, cut), text.substr(cut)}) {
      const auto parts = splitter.push(piece);
      thinking += parts.thinking;
      answer += parts.text;
    }
    const auto rest = splitter.finish();
    EXPECT_EQ(thinking + rest.thinking, "so 3<4\n") << "cut at " << cut;
    EXPECT_EQ(answer + rest.text, "\nIt is 4. <think>") << "cut at " << cut;
  }
}

}  // namespace
}  // namespace moebench
