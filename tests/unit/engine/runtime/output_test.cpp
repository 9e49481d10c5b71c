#include "engine/runtime/output.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace moebench {
namespace {

// Byte-level BPE without merges: the letters a to z are 0 to 25, then the tags and EOS.
constexpr std::int32_t kOpen = 26, kClose = 27, kEos = 28;

const Tokenizer& tokenizer() {
  static const Tokenizer instance = [] {
    std::string vocab, added;
    for (int i = 0; i < 26; ++i)
      vocab += (i > 0 ? ",\"" : "\"") + std::string(1, static_cast<char>('a' + i)) +
               "\":" + std::to_string(i);
    const char* names[] = {"<think>", "</think>", "<eos>"};
    for (int i = 0; i < 3; ++i)
      added += std::string(i > 0 ? "," : "") + "{\"id\":" + std::to_string(26 + i) +
               ",\"content\":\"" + names[i] +
               "\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
               "\"special\":" +
               (i == 2 ? "true" : "false") + "}";
    TokenizerFiles files;
    files.tokenizer_json =
        R"({"version":"1.0","truncation":null,"padding":null,"added_tokens":[)" + added +
        R"(],"normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,)"
        R"("trim_offsets":true,"use_regex":true},"post_processor":null,)"
        R"("decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,)"
        R"("use_regex":true},"model":{"type":"BPE","dropout":null,"unk_token":null,)"
        R"("continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,)"
        R"("byte_fallback":false,"vocab":{)" +
        vocab + R"(},"merges":[]}})";
    files.tokenizer_config_json = R"({"eos_token":"<eos>"})";
    return Tokenizer::from_files(files);
  }();
  return instance;
}

OutputLimits limits_of(std::int64_t max_tokens) {
  OutputLimits limits;
  limits.max_tokens = max_tokens;
  limits.max_context_tokens = 1000;
  return limits;
}

/// Feeds letters (and tags) until the output ends.
FinishReason feed(Output& output, const std::vector<std::int32_t>& tokens) {
  FinishReason reason = FinishReason::kNone;
  for (const std::int32_t token : tokens) {
    reason = output.add(token);
    if (reason != FinishReason::kNone) break;
  }
  return reason;
}

std::vector<std::int32_t> letters(const std::string& text) {
  std::vector<std::int32_t> tokens;
  for (const char c : text) tokens.push_back(c - 'a');
  return tokens;
}

TEST(Output, EndsWithEosWhichCountsAsATokenButIsNoText) {
  Output output(&tokenizer(), {}, limits_of(10), 1);
  auto tokens = letters("ab");
  tokens.push_back(kEos);
  EXPECT_EQ(feed(output, tokens), FinishReason::kEos);
  EXPECT_EQ(output.take_text(), "ab");
  EXPECT_EQ(output.output_tokens(), 3);
}

TEST(Output, IgnoresEosWhenTold) {
  OutputLimits limits = limits_of(3);
  limits.ignore_eos = true;
  Output output(&tokenizer(), {}, limits, 1);
  EXPECT_EQ(feed(output, {0, kEos, 1}), FinishReason::kLength);
  EXPECT_EQ(output.take_text(), "ab");
}

TEST(Output, EndsAtTheTokenLimitAndAtTheContextLimit) {
  Output by_length(&tokenizer(), {}, limits_of(2), 1);
  EXPECT_EQ(feed(by_length, letters("abc")), FinishReason::kLength);
  EXPECT_EQ(by_length.output_tokens(), 2);
  OutputLimits limits = limits_of(100);
  limits.max_context_tokens = 7;
  Output by_context(&tokenizer(), {}, limits, 5);
  EXPECT_EQ(feed(by_context, letters("abc")), FinishReason::kContext);
  EXPECT_EQ(by_context.output_tokens(), 2);
}

TEST(Output, CutsAtAStopStringButNotInsideTheThinking) {
  StreamDecoderOptions options;
  options.stop = {"xy"};
  options.starts_in_thinking = true;
  Output output(&tokenizer(), options, limits_of(100), 1);
  auto tokens = letters("axyb");
  tokens.push_back(kClose);
  for (const std::int32_t t : letters("cxyd")) tokens.push_back(t);
  EXPECT_EQ(feed(output, tokens), FinishReason::kStopString);
  EXPECT_EQ(output.take_thinking(), "axyb");
  EXPECT_EQ(output.take_text(), "c");
  EXPECT_EQ(output.thinking_tokens(), 5);
}

TEST(Output, ForcesTheClosingTokenAtTheThinkingBudget) {
  StreamDecoderOptions options;
  options.starts_in_thinking = true;
  OutputLimits limits = limits_of(100);
  limits.max_thinking_tokens = 4;
  Output output(&tokenizer(), options, limits, 1);
  for (const std::int32_t token : letters("abc")) {
    EXPECT_FALSE(output.forced_token());
    EXPECT_EQ(output.add(token), FinishReason::kNone);
  }
  ASSERT_EQ(output.forced_token(), kClose);
  EXPECT_EQ(output.add(kClose), FinishReason::kNone);
  EXPECT_FALSE(output.forced_token());
  EXPECT_EQ(output.add(3), FinishReason::kNone);
  EXPECT_EQ(output.take_thinking(), "abc");
  EXPECT_EQ(output.take_text(), "d");
  EXPECT_EQ(output.thinking_tokens(), 4);
}

TEST(Output, ABudgetDoesNothingToAModelThatDoesNotThink) {
  OutputLimits limits = limits_of(100);
  limits.max_thinking_tokens = 1;
  Output output(&tokenizer(), {}, limits, 1);
  EXPECT_FALSE(output.forced_token());
  EXPECT_EQ(feed(output, letters("abcd")), FinishReason::kNone);
  EXPECT_FALSE(output.forced_token());
  EXPECT_EQ(output.take_text(), "abcd");
  EXPECT_EQ(output.thinking_tokens(), 0);
}

TEST(Output, AnIdBeyondTheTokenizerCountsWithoutText) {
  Output output(&tokenizer(), {}, limits_of(3), 1);
  EXPECT_EQ(feed(output, {0, 5000, 1}), FinishReason::kLength);
  EXPECT_EQ(output.take_text(), "ab");
}

TEST(Output, FinishReleasesWhatWasHeldBack) {
  StreamDecoderOptions options;
  options.stop = {"xyz"};
  Output output(&tokenizer(), options, limits_of(100), 1);
  feed(output, letters("axy"));
  EXPECT_EQ(output.take_text(), "a");
  output.finish();
  EXPECT_EQ(output.take_text(), "xy");
}

TEST(Output, WithoutATokenizerItStillCounts) {
  Output output(nullptr, {}, limits_of(2), 1);
  EXPECT_EQ(feed(output, {5, 6, 7}), FinishReason::kLength);
  EXPECT_EQ(output.take_text(), "");
}

}  // namespace
}  // namespace moebench
