#pragma once

#include <string>
#include <string_view>

namespace moebench {

/// Tells thinking from answer in a text that holds both, as it comes in pieces: by the rule that
/// the built-in engine applies to tokens. Thinking begins where the prompt has opened it, or with
/// <think> as the first thing but white space, and ends with the first </think>; the tags are in
/// neither part.
class InlineThinking {
 public:
  explicit InlineThinking(bool starts_in_thinking)
      : state_(starts_in_thinking ? State::kThinking : State::kStart) {}

  struct Parts {
    std::string thinking, text;
  };
  Parts push(std::string_view piece);
  /// The end: gives out what was held back.
  Parts finish();
  bool in_thinking() const noexcept { return state_ == State::kThinking; }

 private:
  enum class State { kStart, kThinking, kAnswer };
  void advance(bool at_end, Parts& parts);

  State state_;
  std::string pending_;
};

/// Whether a prompt ends inside an opened thinking block.
bool prompt_opens_thinking(std::string_view prompt);

}  // namespace moebench
