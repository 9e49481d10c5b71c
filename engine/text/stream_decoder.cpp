#include "engine/text/stream_decoder.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/text/unicode.h"

namespace moebench {

namespace {

constexpr std::string_view kBlank = " \t\r\n";

/// The longest suffix of `text` that is a proper prefix of `pattern`.
std::size_t held_back(std::string_view text, std::string_view pattern) {
  for (std::size_t n = std::min(text.size(), pattern.size() - 1); n > 0; --n)
    if (text.substr(text.size() - n) == pattern.substr(0, n)) return n;
  return 0;
}

}  // namespace

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, StreamDecoderOptions options)
    : tokenizer_(tokenizer),
      options_(std::move(options)),
      state_(!options_.separate_thinking   ? State::kAnswer
             : options_.starts_in_thinking ? State::kThinking
                                           : State::kStart) {
  MOEBENCH_CHECK(!options_.thinking_open.empty() && !options_.thinking_close.empty());
  std::erase_if(options_.stop, [](const std::string& stop) { return stop.empty(); });
}

StreamDelta StreamDecoder::push(std::int32_t token) {
  StreamDelta delta;
  const std::string_view piece = tokenizer_.token_bytes(token);
  if (stopped_) return delta;
  ++tokens_;
  if (state_ == State::kThinking) ++thinking_tokens_;
  const bool tag = piece == options_.thinking_open || piece == options_.thinking_close;
  if (!tag && tokenizer_.is_special(token)) return delta;
  bytes_ += piece;
  const std::size_t incomplete = text::incomplete_utf8_suffix_bytes(bytes_);
  const std::string_view whole = std::string_view(bytes_).substr(0, bytes_.size() - incomplete);
  pending_ += text::is_valid_utf8(whole) ? std::string(whole) : text::replace_invalid_utf8(whole);
  bytes_.erase(0, whole.size());
  advance(false, delta);
  return delta;
}

StreamDelta StreamDecoder::finish() {
  StreamDelta delta;
  if (stopped_) return delta;
  pending_ += text::replace_invalid_utf8(bytes_);
  bytes_.clear();
  advance(true, delta);
  return delta;
}

void StreamDecoder::advance(bool at_end, StreamDelta& delta) {
  if (state_ == State::kStart && !advance_start(at_end)) return;
  if (state_ == State::kThinking && !advance_thinking(at_end, delta)) return;
  advance_answer(at_end, delta);
}

/// Decides whether the output begins with thinking; false while that is open.
bool StreamDecoder::advance_start(bool at_end) {
  const std::size_t begin = std::min(pending_.find_first_not_of(kBlank), pending_.size());
  const std::string_view rest = std::string_view(pending_).substr(begin);
  if (rest.starts_with(options_.thinking_open)) {
    pending_.erase(0, begin + options_.thinking_open.size());
    state_ = State::kThinking;
    thinking_tokens_ = tokens_;
    return true;
  }
  if (!at_end && std::string_view(options_.thinking_open).starts_with(rest)) {
    // White space alone may be given out only once it is sure that no tag follows it.
    return false;
  }
  state_ = State::kAnswer;
  return true;
}

/// Gives out thinking; true once it is closed.
bool StreamDecoder::advance_thinking(bool at_end, StreamDelta& delta) {
  const std::size_t close = pending_.find(options_.thinking_close);
  if (close != std::string::npos) {
    delta.thinking.append(pending_, 0, close);
    pending_.erase(0, close + options_.thinking_close.size());
    state_ = State::kAnswer;
    return true;
  }
  const std::size_t keep = at_end ? 0 : held_back(pending_, options_.thinking_close);
  delta.thinking.append(pending_, 0, pending_.size() - keep);
  pending_.erase(0, pending_.size() - keep);
  return false;
}

void StreamDecoder::advance_answer(bool at_end, StreamDelta& delta) {
  std::size_t stop = std::string::npos, keep = 0;
  for (const std::string& pattern : options_.stop) {
    stop = std::min(stop, pending_.find(pattern));
    if (!at_end) keep = std::max(keep, held_back(pending_, pattern));
  }
  if (stop != std::string::npos) {
    delta.text.append(pending_, 0, stop);
    pending_.clear();
    bytes_.clear();
    stopped_ = delta.stopped = true;
    return;
  }
  delta.text.append(pending_, 0, pending_.size() - keep);
  pending_.erase(0, pending_.size() - keep);
}

bool opens_thinking(std::string_view prompt, std::string_view thinking_open) {
  const std::size_t end = prompt.find_last_not_of(kBlank);
  return end != std::string_view::npos && prompt.substr(0, end + 1).ends_with(thinking_open);
}

}  // namespace moebench
