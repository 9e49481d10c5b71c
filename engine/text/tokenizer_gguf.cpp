// Builds a tokenizer from the tokenizer.* metadata of a GGUF file.

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "engine/base/error.h"
#include "engine/text/pre_tokenizers.h"
#include "engine/text/tokenizer.h"
#include "engine/text/tokenizer_parts.h"

namespace moebench {

namespace {

using text::TokenizerParts;

enum TokenType : std::int32_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

/// Control tokens that end a turn in some family, whatever the file's eos_token_id says.
constexpr std::string_view kEndOfGeneration[] = {
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|eom_id|>", "<EOT>"};

class GgufLoader {
 public:
  explicit GgufLoader(const GgufTokenizerData& data) : data_(data) { parts_->name = data.name; }

  std::shared_ptr<const TokenizerParts> load() {
    if (data_.tokens.empty()) fail("tokenizer.ggml.tokens is missing or empty");
    if (data_.tokens.size() > static_cast<std::size_t>(text::TokenTable::kMaxTokens))
      fail("tokenizer.ggml.tokens has " + std::to_string(data_.tokens.size()) + " entries");
    if (!data_.token_types.empty() && data_.token_types.size() != data_.tokens.size())
      fail("tokenizer.ggml.token_type has " + std::to_string(data_.token_types.size()) +
           " entries, tokenizer.ggml.tokens " + std::to_string(data_.tokens.size()));
    n_tokens_ = data_.tokens.size();
    while (n_tokens_ > 0 && is_padding(n_tokens_ - 1)) --n_tokens_;
    if (n_tokens_ == 0) fail("tokenizer.ggml.tokens holds nothing but padding");
    for (std::size_t i = 0; i < n_tokens_; ++i)
      parts_->tokens.set(static_cast<std::int32_t>(i), data_.tokens[i]);
    if (data_.model == "gpt2") {
      read_byte_level();
    } else if (data_.model == "llama") {
      read_sentence_piece();
    } else {
      fail("tokenizer.ggml.model '" + data_.model + "' is not supported (gpt2 and llama are)");
    }
    read_added_tokens();
    read_special_ids();
    parts_->chat_template = data_.chat_template;
    parts_->finish();
    return parts_;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::kBadModel, data_.name + ": " + what);
  }

  std::int32_t type(std::size_t i) const {
    return data_.token_types.empty() ? std::int32_t{kNormal} : data_.token_types[i];
  }

  /// How converters fill the vocabulary up to the rows of the embedding: no tokens at all, so that
  /// they are never sampled.
  bool is_padding(std::size_t i) const {
    return type(i) == kUnused && data_.tokens[i] == "[PAD" + std::to_string(i) + "]";
  }

  void read_byte_level() {
    if (data_.pre.empty()) fail("tokenizer.ggml.pre is missing");
    auto pre = text::gguf_pre_tokenizer(data_.pre);
    if (!pre) fail("tokenizer.ggml.pre '" + data_.pre + "' is not supported");
    parts_->pre_tokenizer = std::move(pre->steps);
    parts_->ignore_merges = pre->ignore_merges;
    add_bos_ = pre->add_bos;
    if (pre->nfc) parts_->normalizer.push_back({});
    if (data_.merges.empty()) fail("tokenizer.ggml.merges is missing or empty");
    parts_->alphabet = text::Alphabet::kBytes;
    std::unordered_map<std::string_view, std::int32_t> ids;
    ids.reserve(data_.tokens.size());
    for (std::size_t i = 0; i < n_tokens_; ++i) {
      const auto id = static_cast<std::int32_t>(i);
      const std::string& token = data_.tokens[i];
      ids[token] = id;
      const auto bytes = text::alphabet_to_bytes(token);
      const bool plain = type(i) != kControl && type(i) != kUserDefined && type(i) != kUnused;
      // User-defined tokens are plain text in the file, not written in the alphabet.
      parts_->decoded.set(id, bytes && plain ? *bytes : token);
      if (!bytes || !plain) continue;
      parts_->symbols.set(id, *bytes);
      if (bytes->size() == 1) parts_->byte_ids[static_cast<unsigned char>(bytes->front())] = id;
    }
    std::vector<text::Bpe::Merge> merges;
    merges.reserve(data_.merges.size());
    std::string joined;
    const auto id_of = [&](std::string_view token) {
      const auto it = ids.find(token);
      if (it == ids.end())
        fail("tokenizer.ggml.merges uses '" + std::string(token) +
             "', which is not in tokenizer.ggml.tokens");
      return it->second;
    };
    for (const std::string& merge : data_.merges) {
      const std::size_t space = merge.find(' ', 1);
      if (space == std::string::npos) fail("merge '" + merge + "' is no pair");
      const std::string_view pair = merge;
      const std::string_view left = pair.substr(0, space), right = pair.substr(space + 1);
      joined.assign(left).append(right);
      merges.push_back(
          {id_of(left), id_of(right), id_of(joined), static_cast<std::uint32_t>(merges.size())});
    }
    parts_->bpe.set_merges(merges);
  }

  void read_sentence_piece() {
    if (data_.scores.size() != data_.tokens.size())
      fail("tokenizer.ggml.scores has " + std::to_string(data_.scores.size()) +
           " entries, tokenizer.ggml.tokens " + std::to_string(data_.tokens.size()));
    parts_->alphabet = text::Alphabet::kCodePoints;
    parts_->byte_fallback = true;
    parts_->fuse_unknown = true;
    parts_->byte_token.assign(n_tokens_, false);
    std::unordered_map<std::string_view, std::int32_t> ids;
    for (std::size_t i = 0; i < n_tokens_; ++i) {
      const auto id = static_cast<std::int32_t>(i);
      std::string piece = data_.tokens[i];
      const auto byte = text::byte_token_value(piece);
      if (type(i) == kByte && !byte) fail("byte token '" + piece + "' is not of the form <0xNN>");
      if (type(i) == kByte) {
        parts_->byte_ids[*byte] = id;
        parts_->byte_token[i] = true;
        piece.assign(1, static_cast<char>(*byte));
      } else {
        if (type(i) == kNormal && !piece.empty()) {
          ids.emplace(data_.tokens[i], id);
          parts_->symbols.set(id, piece);
        }
        text::replace_all(piece, kSpaceMark, " ");
      }
      parts_->decoded.set(id, piece);
    }
    set_merges_by_score(ids);
    text::NormalizeStep spaces;
    spaces.kind = text::NormalizeStep::Kind::kReplace;
    spaces.pattern = text::Pattern::literal(" ");
    spaces.text = kSpaceMark;
    parts_->normalizer.push_back(std::move(spaces));
    parts_->space_prefix_after_special = data_.add_space_prefix.value_or(true);
    parts_->decode_strip_leading_spaces = parts_->space_prefix_after_special ? 1 : 0;
    add_bos_ = true;  // what these models want when the file does not say
    const auto unknown = data_.unk_id ? *data_.unk_id : 0;
    if (unknown >= 0 && static_cast<std::size_t>(unknown) < n_tokens_ &&
        type(static_cast<std::size_t>(unknown)) == kUnknown)
      parts_->unknown_id = unknown;
  }

  /// SentencePiece joins the adjacent pair whose whole is the piece of best score. That is BPE
  /// whose merges are all ways to cut each piece in two pieces, ranked by the whole's score.
  void set_merges_by_score(const std::unordered_map<std::string_view, std::int32_t>& ids) {
    std::set<float, std::greater<>> order;
    for (const auto& [piece, id] : ids) {
      const float score = data_.scores[static_cast<std::size_t>(id)];
      if (!(score == score)) fail("a score in tokenizer.ggml.scores is not a number");
      order.insert(score);
    }
    std::map<float, std::uint32_t> ranks;
    for (const float score : order) ranks.emplace(score, static_cast<std::uint32_t>(ranks.size()));
    std::vector<text::Bpe::Merge> merges;
    for (const auto& [piece, id] : ids) {
      if (piece.size() > kMaxPieceBytes) continue;  // cutting is quadratic in the length
      for (std::size_t cut = 1; cut < piece.size(); ++cut) {
        const auto left = ids.find(piece.substr(0, cut));
        if (left == ids.end()) continue;
        const auto right = ids.find(piece.substr(cut));
        if (right == ids.end()) continue;
        merges.push_back({left->second, right->second, id,
                          ranks.at(data_.scores[static_cast<std::size_t>(id)])});
      }
    }
    parts_->bpe.set_merges(merges);
  }

  void read_added_tokens() {
    for (std::size_t i = 0; i < n_tokens_; ++i) {
      const bool control = type(i) == kControl || type(i) == kUnknown;
      if (!control && type(i) != kUserDefined) continue;
      text::AddedToken token;
      token.id = static_cast<std::int32_t>(i);
      token.content = data_.tokens[i];
      if (data_.model == "llama") text::replace_all(token.content, kSpaceMark, " ");
      token.special = control;
      parts_->added.push_back(std::move(token));
    }
  }

  std::int32_t checked(std::int32_t id, const char* key) const {
    if (id < 0 || static_cast<std::size_t>(id) >= n_tokens_)
      fail(std::string("tokenizer.ggml.") + key + " " + std::to_string(id) +
           " is not in tokenizer.ggml.tokens");
    return id;
  }

  void read_special_ids() {
    std::set<std::int32_t> eos;
    const auto name = [&](const char* variable, const char* key,
                          const std::optional<std::int32_t>& id) {
      if (!id) return;
      parts_->special_tokens.emplace_back(
          variable, data_.tokens[static_cast<std::size_t>(checked(*id, key))]);
    };
    name("bos_token", "bos_token_id", data_.bos_id);
    name("eos_token", "eos_token_id", data_.eos_id);
    name("unk_token", "unknown_token_id", data_.unk_id);
    name("pad_token", "padding_token_id", data_.pad_id);
    parts_->bos_id = data_.bos_id;
    if (data_.eos_id) eos.insert(*data_.eos_id);
    if (data_.eot_id) eos.insert(checked(*data_.eot_id, "eot_token_id"));
    if (data_.eom_id) eos.insert(checked(*data_.eom_id, "eom_token_id"));
    for (const text::AddedToken& token : parts_->added)
      if (token.special &&
          std::ranges::find(kEndOfGeneration, token.content) != std::ranges::end(kEndOfGeneration))
        eos.insert(token.id);
    parts_->eos_ids.assign(eos.begin(), eos.end());
    if (data_.add_bos.value_or(add_bos_)) {
      if (!data_.bos_id) fail("tokenizer.ggml.add_bos_token without tokenizer.ggml.bos_token_id");
      parts_->prefix.push_back(*data_.bos_id);
    }
    if (data_.add_eos.value_or(false)) {
      if (!data_.eos_id) fail("tokenizer.ggml.add_eos_token without tokenizer.ggml.eos_token_id");
      parts_->suffix.push_back(*data_.eos_id);
    }
  }

  static constexpr std::size_t kMaxPieceBytes = 256;

  const GgufTokenizerData& data_;
  std::shared_ptr<TokenizerParts> parts_ = std::make_shared<TokenizerParts>();
  std::size_t n_tokens_ = 0;  ///< without the padding at the end
  bool add_bos_ = false;
};

}  // namespace

Tokenizer Tokenizer::from_gguf(const GgufTokenizerData& data) {
  return Tokenizer(GgufLoader(data).load());
}

}  // namespace moebench
