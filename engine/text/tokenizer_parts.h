#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/text/added_tokens.h"
#include "engine/text/bpe.h"
#include "engine/text/pattern.h"
#include "engine/text/unicode.h"

namespace moebench::text {

// What a tokenizer is made of, as data: the loaders (tokenizer_json.cpp, tokenizer_gguf.cpp) fill
// it in, tokenizer.cpp runs it.

struct NormalizeStep {
  enum class Kind { kForm, kPrepend, kReplace } kind = Kind::kForm;
  NormalizationForm form = NormalizationForm::kNfc;
  std::optional<Pattern> pattern;  ///< kReplace
  std::string text;                ///< what is prepended, or put in
};

/// What becomes of a separator that a split finds.
enum class SplitBehavior { kIsolated, kRemoved, kMergedWithPrevious, kMergedWithNext, kContiguous };

struct PreTokenizeStep {
  enum class Kind { kSplit, kPrefixSpace, kMetaspace } kind = Kind::kSplit;
  std::optional<Pattern> pattern;  ///< kSplit
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;
  std::string replacement;  ///< kMetaspace: what a space becomes
  enum class Prepend { kNever, kFirst, kAlways } prepend = Prepend::kNever;
};

enum class Alphabet {
  kBytes,       ///< symbols are bytes; the vocabulary is written in byte_to_alphabet's characters
  kCodePoints,  ///< symbols are code points, with <0xNN> or the unknown token for those missing
};

struct TokenizerParts {
  std::string name;

  std::vector<NormalizeStep> normalizer;
  std::vector<PreTokenizeStep> pre_tokenizer;

  Alphabet alphabet = Alphabet::kBytes;
  TokenTable tokens;   ///< as the file has them
  TokenTable symbols;  ///< what the model may produce, as text bytes; found by it
  TokenTable decoded;  ///< the bytes that each id adds to a text
  Bpe bpe;
  std::vector<std::int32_t> byte_ids = std::vector<std::int32_t>(256, -1);  ///< byte -> id, or -1
  bool byte_fallback = false, fuse_unknown = false, ignore_merges = false;
  std::optional<std::int32_t> unknown_id;
  /// SentencePiece in a GGUF file: a space goes before the text and before what follows a token
  /// found.
  bool space_prefix_after_special = false;

  std::vector<AddedToken> added;
  AddedTokenMatcher raw_matcher, normalized_matcher;
  std::vector<bool> special;  ///< by id

  std::vector<std::int32_t> prefix, suffix;  ///< ids that add_special puts around a text
  std::size_t decode_strip_leading_spaces = 0;
  std::vector<bool> byte_token;  ///< by id: <0xNN> under byte_fallback

  std::optional<std::int32_t> bos_id;
  std::vector<std::int32_t> eos_ids;
  std::vector<std::pair<std::string, std::string>> special_tokens;
  std::string chat_template;

  /// By id: is the token's own text encoded as that one token? Filled as questions come (0 unknown,
  /// 1 yes, 2 no); a word that is one token, as most are, needs no merging then.
  std::unique_ptr<std::atomic<std::uint8_t>[]> whole_word;

  /// Fills what follows from the rest: indexes, byte_ids, matchers, special. `tokens`, `symbols`
  /// and `decoded` must be complete. Throws Error(kBadModel).
  void finish();
};

}  // namespace moebench::text
