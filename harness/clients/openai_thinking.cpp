#include "harness/clients/openai_thinking.h"

#include <algorithm>

namespace moebench {

namespace {

constexpr std::string_view kOpen = "<think>";
constexpr std::string_view kClose = "</think>";
constexpr const char* kBlank = " \t\r\n";

// How many bytes at the text's end may be the begin of the tag.
std::size_t held_back(std::string_view text, std::string_view tag) {
  for (std::size_t n = std::min(text.size(), tag.size() - 1); n > 0; --n) {
    if (text.ends_with(tag.substr(0, n))) return n;
  }
  return 0;
}

}  // namespace

InlineThinking::Parts InlineThinking::push(std::string_view piece) {
  Parts parts;
  pending_ += piece;
  advance(false, parts);
  return parts;
}

InlineThinking::Parts InlineThinking::finish() {
  Parts parts;
  advance(true, parts);
  return parts;
}

void InlineThinking::advance(bool at_end, Parts& parts) {
  if (state_ == State::kStart) {
    const std::size_t begin = std::min(pending_.find_first_not_of(kBlank), pending_.size());
    const std::string_view rest = std::string_view(pending_).substr(begin);
    if (rest.starts_with(kOpen)) {
      pending_.erase(0, begin + kOpen.size());
      state_ = State::kThinking;
    } else if (!at_end && kOpen.starts_with(rest)) {
      return;
    } else {
      state_ = State::kAnswer;
    }
  }
  if (state_ == State::kThinking) {
    const std::size_t close = pending_.find(kClose);
    const std::size_t end = close != std::string::npos ? close
                            : at_end                   ? pending_.size()
                                     : pending_.size() - held_back(pending_, kClose);
    parts.thinking.append(pending_, 0, end);
    pending_.erase(0, end);
    if (close == std::string::npos) return;
    pending_.erase(0, kClose.size());
    state_ = State::kAnswer;
  }
  parts.text += pending_;
  pending_.clear();
}

bool prompt_opens_thinking(std::string_view prompt) {
  const std::size_t end = prompt.find_last_not_of(kBlank);
  return end != std::string_view::npos && prompt.substr(0, end + 1).ends_with(kOpen);
}

}  // namespace moebench
