#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/text/tokenizer.h"

namespace moebench {

struct TemplateMessage {
  std::string role, content;
};

struct ChatPromptOptions {
  bool add_generation_prompt = true;
  /// For templates that ask enable_thinking or thinking (Qwen3, DeepSeek V3.1); left undefined when
  /// absent.
  std::optional<bool> enable_thinking = std::nullopt;
  /// What strftime_now() tells, in UTC; absent: now. Some templates write the date into the prompt,
  /// so whoever repeats a run must give the same.
  std::optional<std::int64_t> unix_time = std::nullopt;
};

/// A model's chat template: Jinja, in the subset that such templates use, rendered as Hugging Face
/// transformers renders it (trim_blocks, lstrip_blocks, an immutable sandbox). What is beyond the
/// subset is an error with its line. Rendering is bounded in steps, depth and output, since
/// templates come with models from strangers. Immutable, thread-safe, cheap to copy.
class ChatTemplate {
 public:
  /// Throws Error(kBadModel) with the line.
  explicit ChatTemplate(std::string_view source);

  /// `variables`: an object. Throws Error(kBadModel) with the line: when the template refuses the
  /// messages (raise_exception), uses something undefined, or takes too many steps.
  std::string render(const nlohmann::ordered_json& variables,
                     std::optional<std::int64_t> unix_time = std::nullopt) const;

  /// A prompt for a conversation, with the tokenizer's special tokens as variables. It holds its
  /// own BOS where the model wants one: encode it with parse_special and without add_special.
  std::string render(const Tokenizer& tokenizer, std::span<const TemplateMessage> messages,
                     const ChatPromptOptions& options = {}) const;

 private:
  struct Parsed;
  std::shared_ptr<const Parsed> parsed_;
};

}  // namespace moebench
