#include "engine/runtime/output.h"

#include <algorithm>
#include <utility>

namespace moebench {

Output::Output(const Tokenizer* tokenizer, StreamDecoderOptions options, OutputLimits limits,
               std::int64_t prompt_tokens)
    : tokenizer_(tokenizer), limits_(limits), prompt_tokens_(prompt_tokens) {
  if (tokenizer == nullptr) return;
  if (limits.max_thinking_tokens > 0)
    closing_ = tokenizer->encode(options.thinking_close, {.parse_special = true});
  decoder_.emplace(*tokenizer, std::move(options));
}

std::int64_t Output::thinking_tokens() const noexcept {
  return decoder_ ? decoder_->thinking_tokens() + unknown_thinking_tokens_ : 0;
}

std::optional<std::int32_t> Output::forced_token() const noexcept {
  if (closing_.empty() || !decoder_->in_thinking()) return std::nullopt;
  const std::int64_t left = static_cast<std::int64_t>(closing_.size() - closing_done_);
  if (left == 0) return std::nullopt;
  if (closing_done_ > 0 || thinking_tokens() + left >= limits_.max_thinking_tokens)
    return closing_[closing_done_];
  return std::nullopt;
}

FinishReason Output::add(std::int32_t token) {
  if (forced_token()) ++closing_done_;
  ++output_tokens_;
  bool stopped = false;
  if (decoder_ && tokenizer_->is_token(token)) {
    StreamDelta delta = decoder_->push(token);
    thinking_delta_ += delta.thinking;
    text_delta_ += delta.text;
    stopped = delta.stopped;
  } else if (decoder_ && decoder_->in_thinking()) {
    ++unknown_thinking_tokens_;
  }
  const FinishReason reason = reason_to_end(token, stopped);
  if (reason != FinishReason::kNone) finish();
  return reason;
}

FinishReason Output::reason_to_end(std::int32_t token, bool stopped) const noexcept {
  if (stopped) return FinishReason::kStopString;
  if (!limits_.ignore_eos && tokenizer_ != nullptr && tokenizer_->is_eos(token))
    return FinishReason::kEos;
  if (output_tokens_ >= limits_.max_tokens) return FinishReason::kLength;
  if (prompt_tokens_ + output_tokens_ >= limits_.max_context_tokens) return FinishReason::kContext;
  return FinishReason::kNone;
}

void Output::finish() {
  if (!decoder_) return;
  StreamDelta delta = decoder_->finish();
  thinking_delta_ += delta.thinking;
  text_delta_ += delta.text;
}

std::string Output::take_thinking() noexcept { return std::exchange(thinking_delta_, {}); }
std::string Output::take_text() noexcept { return std::exchange(text_delta_, {}); }

}  // namespace moebench
