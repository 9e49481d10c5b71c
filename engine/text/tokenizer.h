#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace moebench {

namespace text {
struct TokenizerParts;
}

/// The files of a Hugging Face directory that describe its tokenizer, as text. Only tokenizer_json
/// must be there; an empty string stands for a missing file.
struct TokenizerFiles {
  std::string tokenizer_json;
  std::string tokenizer_config_json;
  std::string generation_config_json;
  std::string chat_template_jinja;
  std::string name = "tokenizer.json";  ///< for messages
};

/// The tokenizer.* metadata of a GGUF file; whoever reads GGUF fills it in.
struct GgufTokenizerData {
  std::string model;  ///< tokenizer.ggml.model: "gpt2" (byte-level BPE) or "llama" (SentencePiece)
  std::string pre;    ///< tokenizer.ggml.pre; empty: absent
  std::vector<std::string> tokens;
  std::vector<float> scores;  ///< for "llama"; one a token
  std::vector<std::int32_t>
      token_types;                  ///< 1 normal, 2 unknown, 3 control, 4 user, 5 unused, 6 byte
  std::vector<std::string> merges;  ///< for "gpt2": "left right", best first
  std::optional<std::int32_t> bos_id, eos_id, eot_id, eom_id, unk_id, pad_id;
  std::optional<bool> add_bos, add_eos, add_space_prefix;
  std::string chat_template;
  std::string name = "GGUF";  ///< for messages
};

struct GgufTokenizerExport {
  GgufTokenizerData data;
  std::vector<std::string> notes;  ///< in what corners the GGUF's tokenizer differs
};

struct EncodeOptions {
  /// Recognise special tokens (<|im_end|>, ...) written in the text. Without, such text is encoded
  /// as any other, so that a prompt's data cannot forge a turn.
  bool parse_special = false;
  /// Add what the model wants around a text (BOS, as a rule). A rendered chat template has its own.
  bool add_special = false;
};

/// Text to token ids and back, exactly as Hugging Face `tokenizers` does it for the same file.
/// Immutable; safe to use from several threads at once; cheap to copy.
class Tokenizer {
 public:
  /// Reads tokenizer.json, tokenizer_config.json, generation_config.json and chat_template.jinja.
  /// Throws Error(kIo, kBadModel) that names the file.
  static Tokenizer from_directory(const std::filesystem::path& directory);
  /// Throws Error(kBadModel) that names the component that is broken or not supported.
  static Tokenizer from_files(const TokenizerFiles& files);
  /// Throws Error(kBadModel) that names the key.
  static Tokenizer from_gguf(const GgufTokenizerData& data);

  /// This tokenizer as GGUF metadata, with unused tokens up to `vocab` (the rows of the model's
  /// embedding). tokenizer.ggml.pre is the first known name under which from_gguf() gives the same
  /// ids as this tokenizer for a text full of what tokenizers split differently and for the text of
  /// every token. Throws Error(kUsage) when there is none.
  GgufTokenizerExport to_gguf(std::int32_t vocab) const;

  /// Bytes that are no UTF-8 count as U+FFFD, one for each maximal broken part. Time is
  /// O(n log n) in the text. Throws Error(kBadModel) when a regex of the file hits its step limit.
  std::vector<std::int32_t> encode(std::string_view text, EncodeOptions options = {}) const;

  /// Valid UTF-8: what is broken becomes U+FFFD. Throws Error(kUsage) on an id that has no token.
  std::string decode(std::span<const std::int32_t> ids, bool skip_special = false) const;

  /// The bytes that a token adds to a text, which may be part of a character. Throws Error(kUsage)
  /// on an id that has no token.
  std::string_view token_bytes(std::int32_t id) const;
  bool is_token(std::int32_t id) const noexcept;
  /// A control token (BOS, <|im_end|>, ...), whose text is not for the reader.
  bool is_special(std::int32_t id) const noexcept;
  /// The id of a token by its text as the vocabulary has it.
  std::optional<std::int32_t> find(std::string_view token) const;

  std::int32_t vocab_size() const noexcept;  ///< highest id + 1
  std::optional<std::int32_t> bos_id() const noexcept;
  /// All ids that end a generation; ascending.
  const std::vector<std::int32_t>& eos_ids() const noexcept;
  bool is_eos(std::int32_t id) const noexcept;
  /// "bos_token", "eos_token", ... and their texts: variables of the chat template.
  const std::vector<std::pair<std::string, std::string>>& special_tokens() const noexcept;
  /// The Jinja source; empty when the model has none.
  const std::string& chat_template() const noexcept;

  explicit Tokenizer(std::shared_ptr<const text::TokenizerParts> parts);

 private:
  std::shared_ptr<const text::TokenizerParts> parts_;
};

}  // namespace moebench
