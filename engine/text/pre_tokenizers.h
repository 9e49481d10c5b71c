#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/tokenizer_parts.h"

namespace moebench::text {

/// GPT-2's pre-tokeniser (openai/gpt-2, encoder.py); what ByteLevel(use_regex=true) means.
inline constexpr std::string_view kGpt2Regex =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

PreTokenizeStep split_step(std::string_view regex,
                           SplitBehavior behavior = SplitBehavior::kIsolated);

/// What a GGUF file's tokenizer.ggml.pre stands for.
struct GgufPreTokenizer {
  std::vector<PreTokenizeStep> steps;
  bool nfc = false;            ///< the original tokenizer normalises
  bool ignore_merges = false;  ///< a word that is a token is that token
  bool add_bos = false;        ///< when tokenizer.ggml.add_bos_token is absent
};
/// One name for each way of splitting, those of the supported families first.
std::span<const std::string_view> gguf_pre_names() noexcept;
/// Nothing when the name is unknown.
std::optional<GgufPreTokenizer> gguf_pre_tokenizer(std::string_view name);

/// 0xNN for a token written "<0xNN>".
std::optional<std::uint8_t> byte_token_value(std::string_view token);
void replace_all(std::string& text, std::string_view from, std::string_view to);

}  // namespace moebench::text
