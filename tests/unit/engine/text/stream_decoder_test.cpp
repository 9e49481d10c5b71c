#include "engine/text/stream_decoder.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/text/unicode.h"

namespace moebench {
namespace {

/// One token a byte (id = byte), then the words given, then </s> as the special last one.
Tokenizer byte_tokenizer(const std::vector<std::string>& words = {}) {
  nlohmann::json vocab, added = nlohmann::json::array();
  for (int b = 0; b < 256; ++b) {
    std::string token;
    text::append_utf8(token, text::byte_to_alphabet(static_cast<std::uint8_t>(b)));
    vocab[token] = b;
  }
  int id = 256;
  for (const std::string& word : words)
    added.push_back({{"id", id++}, {"content", word}, {"special", false}});
  added.push_back({{"id", id}, {"content", "</s>"}, {"special", true}});
  TokenizerFiles files;
  files.tokenizer_json =
      nlohmann::json(
          {{"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", nlohmann::json::array()}}},
           {"added_tokens", added},
           {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
           {"decoder", {{"type", "ByteLevel"}}}})
          .dump();
  return Tokenizer::from_files(files);
}

struct Streamed {
  std::string thinking, text;
  bool stopped = false;
  std::vector<std::string> pieces;
};

Streamed stream(StreamDecoder& decoder, const std::vector<std::int32_t>& tokens) {
  Streamed all;
  const auto take = [&](const StreamDelta& delta) {
    EXPECT_TRUE(text::is_valid_utf8(delta.text)) << "a piece broke a character";
    EXPECT_TRUE(text::is_valid_utf8(delta.thinking));
    all.thinking += delta.thinking;
    all.text += delta.text;
    all.stopped |= delta.stopped;
    all.pieces.push_back(delta.text);
  };
  for (const std::int32_t token : tokens) take(decoder.push(token));
  take(decoder.finish());
  return all;
}

std::vector<std::int32_t> bytes(const std::string& text) {
  std::vector<std::int32_t> tokens;
  for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
  return tokens;
}

TEST(StreamDecoder, HoldsBytesBackUntilTheCharacterIsWhole) {
  StreamDecoder decoder(byte_tokenizer(), {});
  const Streamed all = stream(decoder, bytes("a\U0001F600b"));
  EXPECT_EQ(all.text, "a\U0001F600b");
  EXPECT_EQ(all.pieces, (std::vector<std::string>{"a", "", "", "", "\U0001F600", "b", ""}));
}

TEST(StreamDecoder, ReplacesWhatNeverBecomesACharacter) {
  StreamDecoder decoder(byte_tokenizer(), {});
  EXPECT_EQ(stream(decoder, bytes("a\xF0\x9Fx\xE2\x82")).text, "a\uFFFDx\uFFFD");
}

TEST(StreamDecoder, FindsAStopStringAcrossTokens) {
  StreamDecoder decoder(byte_tokenizer(), {.stop = {"\n\nQ:", "END"}});
  const Streamed all = stream(decoder, bytes("one\n\nE EN\n\nQ: more"));
  EXPECT_EQ(all.text, "one\n\nE EN");
  EXPECT_TRUE(all.stopped);
  EXPECT_TRUE(decoder.stopped());
}

TEST(StreamDecoder, GivesOutTheBeginOfAStopStringThatDoesNotCome) {
  StreamDecoder decoder(byte_tokenizer(), {.stop = {"aab"}});
  const Streamed all = stream(decoder, bytes("aaab"));
  EXPECT_EQ(all.text, "a") << "the stop string begins at the second a";
  StreamDecoder other(byte_tokenizer(), {.stop = {"aab"}});
  EXPECT_EQ(stream(other, bytes("xaa")).text, "xaa");
}

TEST(StreamDecoder, TakesTheStopStringThatComesFirst) {
  StreamDecoder decoder(byte_tokenizer({"x STOP y END"}), {.stop = {"END", "STOP", ""}});
  EXPECT_EQ(stream(decoder, {256}).text, "x ");
}

TEST(StreamDecoder, PartsThinkingFromTheAnswerAndCountsBoth) {
  StreamDecoder decoder(byte_tokenizer({"<think>", "</think>"}), {});
  std::vector<std::int32_t> tokens = {256};
  for (const auto b : bytes("hm")) tokens.push_back(b);
  tokens.push_back(257);
  for (const auto b : bytes("yes")) tokens.push_back(b);
  tokens.push_back(258);  // </s>
  const Streamed all = stream(decoder, tokens);
  EXPECT_EQ(all.thinking, "hm");
  EXPECT_EQ(all.text, "yes");
  EXPECT_EQ(decoder.thinking_tokens(), 4);
  EXPECT_EQ(decoder.answer_tokens(), 4);
}

TEST(StreamDecoder, ReadsTagsThatComeInPieces) {
  StreamDecoder decoder(byte_tokenizer(), {});
  const Streamed all = stream(decoder, bytes("\n<think>a</thin b</think>\n\nc <think>"));
  EXPECT_EQ(all.thinking, "a</thin b");
  EXPECT_EQ(all.text, "\n\nc <think>") << "a later tag is ordinary text";
  EXPECT_EQ(decoder.thinking_tokens(), 25);
}

TEST(StreamDecoder, DoesNotStopInsideTheThinking) {
  StreamDecoder decoder(byte_tokenizer(), {.stop = {"STOP"}, .starts_in_thinking = true});
  const Streamed all = stream(decoder, bytes("a STOP b</think>c STOP d"));
  EXPECT_EQ(all.thinking, "a STOP b");
  EXPECT_EQ(all.text, "c ");
  EXPECT_TRUE(all.stopped);
}

TEST(StreamDecoder, ThinkingThatIsNeverClosedIsThinking) {
  StreamDecoder decoder(byte_tokenizer(), {.starts_in_thinking = true});
  const Streamed all = stream(decoder, bytes("on and on </thi"));
  EXPECT_EQ(all.thinking, "on and on </thi");
  EXPECT_EQ(all.text, "");
  EXPECT_TRUE(decoder.in_thinking());
  EXPECT_EQ(decoder.answer_tokens(), 0);
}

TEST(StreamDecoder, WithoutThinkingEverythingIsTheAnswer) {
  StreamDecoder decoder(byte_tokenizer(), {});
  const Streamed all = stream(decoder, bytes("  <thin air"));
  EXPECT_EQ(all.text, "  <thin air");
  EXPECT_EQ(decoder.thinking_tokens(), 0);
}

TEST(StreamDecoder, AnIdWithoutATokenIsAnError) {
  StreamDecoder decoder(byte_tokenizer(), {});
  EXPECT_THROW(decoder.push(9999), Error);
  EXPECT_THROW(decoder.push(-1), Error);
}

TEST(StreamDecoder, SeesWhetherAPromptOpensTheThinking) {
  EXPECT_TRUE(opens_thinking("<|Assistant|><think>\n"));
  EXPECT_TRUE(opens_thinking("<think>"));
  EXPECT_FALSE(opens_thinking("<|Assistant|><think>\n\n</think>\n\n"));
  EXPECT_FALSE(opens_thinking("<|Assistant|>"));
  EXPECT_FALSE(opens_thinking(""));
}

}  // namespace
}  // namespace moebench
