#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/tokenizer.h"

namespace moebench {

struct StreamDecoderOptions {
  std::vector<std::string> stop =
      {};  ///< not looked for inside the thinking; empty strings are ignored
  /// The prompt's end has opened the thinking already; see opens_thinking().
  bool starts_in_thinking = false;
  bool separate_thinking = true;  ///< false: everything is text, tags included
  std::string thinking_open = "<think>";
  std::string thinking_close = "</think>";
};

/// What one token, or the end, has made certain. All pieces are valid UTF-8.
struct StreamDelta {
  std::string thinking;  ///< the tags themselves are in neither
  std::string text;
  bool stopped = false;  ///< a stop string was completed; it and what follows are not in the text
};

/// Turns one sequence's tokens into text as they come. Holds back what may still change: bytes of
/// an unfinished character, and text that may be the begin of a stop string or of a tag. Special
/// tokens add no text (a tag that is a special token counts as its tag). One object a sequence.
///
/// Thinking begins where the prompt opened it, or with thinking_open as the first thing but white
/// space; it ends with the first thinking_close. Later tags are ordinary text.
class StreamDecoder {
 public:
  StreamDecoder(const Tokenizer& tokenizer, StreamDecoderOptions options);

  /// Takes the next token, EOS included. After a stop, nothing more is given out.
  StreamDelta push(std::int32_t token);
  /// The end: gives out what was held back; an unfinished character becomes U+FFFD.
  StreamDelta finish();

  bool in_thinking() const noexcept { return state_ == State::kThinking; }
  bool stopped() const noexcept { return stopped_; }
  /// Tokens pushed up to and with the one that completed thinking_close, when there was thinking.
  std::int64_t thinking_tokens() const noexcept { return thinking_tokens_; }
  /// Tokens pushed that are no thinking tokens.
  std::int64_t answer_tokens() const noexcept { return tokens_ - thinking_tokens_; }

 private:
  enum class State : std::uint8_t { kStart, kThinking, kAnswer };
  void advance(bool at_end, StreamDelta& delta);
  bool advance_start(bool at_end);
  bool advance_thinking(bool at_end, StreamDelta& delta);
  void advance_answer(bool at_end, StreamDelta& delta);

  Tokenizer tokenizer_;
  StreamDecoderOptions options_;
  State state_;
  std::string bytes_;    // an unfinished character
  std::string pending_;  // decoded, not given out yet
  std::int64_t tokens_ = 0, thinking_tokens_ = 0;
  bool stopped_ = false;
};

/// Whether a rendered prompt ends inside an opened thinking block: its last thinking_open is
/// followed by white space alone (as the templates of R1 and of Qwen3's thinking models leave it).
bool opens_thinking(std::string_view prompt, std::string_view thinking_open = "<think>");

}  // namespace moebench
