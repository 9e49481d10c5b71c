#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/text/stream_decoder.h"

namespace moebench {

/// When a generation ends, apart from EOS and stop strings.
struct OutputLimits {
  std::int64_t max_tokens = 0;
  std::int64_t max_thinking_tokens = 0;  ///< the closing tag included; 0: no budget of its own
  std::int64_t max_context_tokens = 0;   ///< prompt and output together
  bool ignore_eos = false;
};

/// What a sequence has said so far: text and thinking, and whether it goes on. With a thinking
/// budget, it closes the thinking by the model's own closing tokens in time.
class Output {
 public:
  /// `tokenizer` null: tokens are counted but there is no text and no EOS (tests, random models);
  /// it must outlive the object.
  Output(const Tokenizer* tokenizer, StreamDecoderOptions options, OutputLimits limits,
         std::int64_t prompt_tokens);

  /// The token that has to come next, whatever the model says: a part of the closing tag.
  std::optional<std::int32_t> forced_token() const noexcept;
  /// Takes the next token; kNone while the generation goes on. The tokens end with the first other
  /// answer.
  FinishReason add(std::int32_t token);
  /// Ended from outside: releases text that was held back.
  void finish();
  /// What add() and finish() made certain since the last call.
  std::string take_thinking() noexcept;
  std::string take_text() noexcept;

  std::int64_t output_tokens() const noexcept { return output_tokens_; }
  std::int64_t thinking_tokens() const noexcept;

 private:
  FinishReason reason_to_end(std::int32_t token, bool stopped) const noexcept;

  const Tokenizer* tokenizer_;
  OutputLimits limits_;
  std::int64_t prompt_tokens_;
  std::optional<StreamDecoder> decoder_;
  std::vector<std::int32_t> closing_;  // tokens of the closing tag, when there is a budget
  std::size_t closing_done_ = 0;       // of these, how many were forced
  std::int64_t output_tokens_ = 0;
  std::int64_t unknown_thinking_tokens_ = 0;  // ids without a token, inside the thinking
  std::string thinking_delta_, text_delta_;
};

}  // namespace moebench
