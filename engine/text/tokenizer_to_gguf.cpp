// Writes a tokenizer down as the tokenizer.* metadata of a GGUF file.

#include <algorithm>
#include <array>

#include "engine/base/error.h"
#include "engine/text/pre_tokenizers.h"
#include "engine/text/tokenizer.h"
#include "engine/text/tokenizer_parts.h"
#include "engine/text/unicode.h"

namespace moebench {

namespace {

using text::TokenizerParts;

/// What tokenizers split differently: contractions in both cases, runs of digits, spaces and line
/// ends, scripts with and without cases, marks composed and not, symbols, punctuation of several
/// blocks, emoji, controls. None begins with a space: see kEdgeProbes.
constexpr std::array<std::string_view, 22> kProbes = {
    "don't DON'T I'LL we'Ve y'all 'S 're can't've it'so ''s '' 't'",
    "1234567890 12 345 v1.2.3-rc4 x1y2z3 1,234.50 7  8   9\t10 <<48/2=24>>24",
    "if (x) {\n    return y;\n\t}\r\n\r\n  \n\n\n   end  of   it   ",
    "$$\\frac{\\sqrt{3}}{2} \\le x^2 \\in (-\\infty, 3] \\cup \\{7\\}$$ \\boxed{\\frac{1}{2}} #### "
    "72",
    "snake_case camelCase HTTPServer XMLHttp2Request path/to/file.txt a/b //c\n/d e!\n?f",
    "(word [word {word \"word \"Word\" -word --word %word @word *word* `word` ~word =word +1",
    "\xD9\xA3\xD9\xA4\xD9\xA5 \xC2\xBD \xE2\x85\xAB \xC2\xB2\xC2\xB3 \xE0\xA5\xA7\xE0\xA5\xA8 x",
    "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E\xE3\x81\xAE\xE3\x83\x86\xE3\x82\xAD\xE3\x82\xB9\xE3\x83"
    "\x88\xE3\x80\x81\xE6\xBC\xA2\xE5\xAD\x97"
    "123abc\xE3\x80\x82",
    "\xE4\xB8\xAD\xE6\x96\x87\xE5\xAD\x97\xE7\xAC\xA6\xEF\xBC\x8C\xE5\x8C\x85\xE5\x90\xAB x\xEF\xBC"
    "\x81 \xEF\xBC\xA1\xEF\xBC\xA2\xEF\xBC\x91\xEF\xBC\x92",
    "\xEA\xB0\x80\xEB\x82\x98\xEB\x8B\xA4 \xEC\xA1\xB0\xEC\x84\xA0\xEB\xA7\x90",
    "\xE0\xA4\xA8\xE0\xA4\xAE\xE0\xA4\xB8\xE0\xA5\x8D\xE0\xA4\xA4\xE0\xA5\x87 "
    "\xE0\xB8\xAA\xE0\xB8\xA7\xE0\xB8\xB1\xE0\xB8\xAA",
    "\xD9\x85\xD8\xB1\xD8\xAD\xD8\xA8\xD8\xA7 \xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D, "
    "\xD0\x97\xD0\xB4\xD1\x80\xD0\xB0\xD0\xB2\xD1\x81\xD1\x82\xD0\xB2\xD1\x83\xD0\xB9",
    "\xCE\x95\xCE\xBB\xCE\xBB\xCE\xB7\xCE\xBD\xCE\xB9\xCE\xBA\xCE\xAC \xC7\x85 \xCA\x94 (\xCE\x95",
    "\xC3\xA7"
    "a va? caf\xC3\xA9 na\xC3\xAFve \xC3\x85 \xEF\xAC\x81 \xE1\xBB\x97 \xC3\x89T\xC3\x89",
    "cafe\xCC\x81 a\xCC\x80\xCC\xA3 o\xCC\x82\xCC\x83 A\xCC\x8A",  // decomposed
    "\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7 "
    "\xF0\x9F\x8F\xB3\xEF\xB8\x8F\xE2\x80\x8D\xF0\x9F\x8C\x88 \xF0\x9F\x87\xA9\xF0\x9F\x87\xAA"
    "\xF0\x9F\x98\x80\xF0\x9F\x98\x83!",
    "x\xC2\xA0\xE2\x80\x83 y\xE2\x80\xA8z\xC2\x85w\xE3\x80\x80v \xE2\x80\x8B"
    "u",
    "\xEF\xBB\xBF"
    "BOM \xEF\xBF\xBD \x01\x02\x1C\x7F\xC2\x80 \xEE\x80\x80",
    "a\xE2\x82\xAC"
    "5 \xC2\xA3"
    "3 x\xC3\x97y \xE2\x89\xA4 \xE2\x88\x9E \xE2\x80\x94 "
    "\xE2\x80\x98q\xE2\x80\x99 \xC2\xABr\xC2\xBB \xE2\x80\xA6",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "!!!!!!!!!!!!!!!!!!!!!!!!!!........--------========________########~~~~~~~~\n\n\n\n\n\n\n\n",
    "trailing spaces   \nand tabs\t\t\n \n  \n   x"};

/// Where SentencePiece's rules for a space before the text show.
constexpr std::array<std::string_view, 4> kEdgeProbes = {" x", "   x y", "\xE2\x96\x81x", "\n x"};

bool alike(const Tokenizer& a, const Tokenizer& b, std::string_view text, bool parse_special) {
  const EncodeOptions options{.parse_special = parse_special};
  const std::vector<std::int32_t> ids = a.encode(text, options);
  return ids == b.encode(text, options) && a.decode(ids) == b.decode(ids);
}

class GgufExporter {
 public:
  GgufExporter(const Tokenizer& original, const TokenizerParts& parts, std::int32_t vocab)
      : original_(original), parts_(parts), vocab_(vocab) {}

  GgufTokenizerExport run() {
    if (parts_.tokens.size() > vocab_)
      throw Error(ErrorCode::kBadModel, parts_.name + ": the tokenizer has ids up to " +
                                            std::to_string(parts_.tokens.size() - 1) +
                                            ", the model's vocabulary " + std::to_string(vocab_));
    data_.name = parts_.name;
    data_.chat_template = parts_.chat_template;
    fill_tokens();
    fill_special_ids();
    const bool sentence_piece = parts_.alphabet == text::Alphabet::kCodePoints;
    if (sentence_piece) {
      fill_sentence_piece();
    } else {
      fill_merges();
    }
    choose(sentence_piece);
    return {std::move(data_), std::move(notes_)};
  }

 private:
  enum TokenType : std::int32_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(ErrorCode::kUsage, parts_.name + ": cannot be written as GGUF: " + what,
                "use the model as it is; `--weights-type` quantises any model at load");
  }

  void fill_tokens() {
    for (std::int32_t id = 0; id < vocab_; ++id) {
      const bool there = parts_.tokens.contains(id);
      data_.tokens.push_back(there ? std::string(parts_.tokens.text(id))
                                   : "[PAD" + std::to_string(id) + "]");
      data_.token_types.push_back(there ? kNormal : kUnused);
    }
    for (const text::AddedToken& token : parts_.added)
      type_of(token.id) = token.special ? kControl : kUserDefined;
  }
  std::int32_t& type_of(std::int32_t id) { return data_.token_types[static_cast<std::size_t>(id)]; }

  std::optional<std::int32_t> special_id(std::string_view name) const {
    for (const auto& [key, token] : parts_.special_tokens)
      if (key == name) return original_.find(token);
    return std::nullopt;
  }

  void fill_special_ids() {
    data_.bos_id = parts_.bos_id;
    data_.eos_id = special_id("eos_token");
    if (!data_.eos_id && !parts_.eos_ids.empty()) data_.eos_id = parts_.eos_ids.front();
    data_.pad_id = special_id("pad_token");
    data_.unk_id = parts_.unknown_id ? parts_.unknown_id : special_id("unk_token");
    for (const std::int32_t id : parts_.eos_ids) {
      if (id == data_.eos_id) continue;
      if (!data_.eot_id) {
        data_.eot_id = id;
      } else if (!data_.eom_id) {
        data_.eom_id = id;
      }  // what is left over becomes a note
    }
    data_.add_bos = !parts_.prefix.empty();
    data_.add_eos = !parts_.suffix.empty();
    around_text(parts_.prefix, data_.bos_id);
    around_text(parts_.suffix, data_.eos_id);
  }

  /// What stands before (after) every text is GGUF's BOS (EOS), whether a file calls it so or not.
  void around_text(const std::vector<std::int32_t>& ids, std::optional<std::int32_t>& id) const {
    if (ids.empty()) return;
    if (ids.size() > 1 || (id && *id != ids.front()))
      refuse("it puts other tokens around a text than one BOS and one EOS");
    id = ids.front();
  }

  void fill_merges() {
    data_.model = "gpt2";
    for (const text::Bpe::Merge& merge : parts_.bpe.merges()) {
      std::string pair(parts_.tokens.text(merge.left));
      if (pair.find(' ', 1) != std::string::npos) refuse("token '" + pair + "' holds a space");
      data_.merges.push_back(pair.append(" ").append(parts_.tokens.text(merge.right)));
    }
  }

  /// SentencePiece's scores: a piece is worth the rank of the first merge that makes it.
  void fill_sentence_piece() {
    if (!parts_.byte_fallback) refuse("it is neither byte-level BPE nor SentencePiece's");
    data_.model = "llama";
    data_.pre = "default";
    const std::vector<text::Bpe::Merge> merges = parts_.bpe.merges();
    // What no merge makes comes last, in the order of ids.
    for (std::int32_t id = 0; id < vocab_; ++id)
      data_.scores.push_back(-static_cast<float>(merges.size()) - static_cast<float>(id));
    std::vector<bool> scored(data_.scores.size(), false);
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
      const auto piece = static_cast<std::size_t>(merges[rank].result);
      if (!scored[piece]) data_.scores[piece] = -static_cast<float>(rank);
      scored[piece] = true;
    }
    for (std::int32_t id = 0; id < vocab_; ++id)
      if (parts_.tokens.contains(id) && text::byte_token_value(parts_.tokens.text(id)))
        type_of(id) = kByte;
    if (parts_.unknown_id) type_of(*parts_.unknown_id) = kUnknown;
  }

  /// Every token's text behind several kinds of neighbour, in pieces of some size. Without added
  /// tokens, which are split off before.
  std::vector<std::string> vocabulary_texts() const {
    constexpr std::size_t kTextBytes = 1 << 16;
    constexpr std::array<std::string_view, 4> kBefore = {" ", "\n", "x", "1"};
    std::vector<bool> added(static_cast<std::size_t>(parts_.tokens.size()), false);
    for (const text::AddedToken& token : parts_.added)
      added[static_cast<std::size_t>(token.id)] = true;
    std::vector<std::string> texts(1, "x");
    for (const std::string_view before : kBefore) {
      for (std::int32_t id = 0; id < parts_.tokens.size(); ++id) {
        if (!original_.is_token(id) || added[static_cast<std::size_t>(id)]) continue;
        const std::string_view bytes = original_.token_bytes(id);
        if (!text::is_valid_utf8(bytes)) continue;
        if (texts.back().size() > kTextBytes) texts.push_back("x");
        texts.back().append(before).append(bytes);
      }
    }
    return texts;
  }

  void choose(bool sentence_piece) {
    const std::vector<std::string> vocabulary = vocabulary_texts();
    const auto fits = [&](const Tokenizer& candidate) {
      const auto same = [&](std::string_view probe) {
        return alike(original_, candidate, probe, false);
      };
      return std::all_of(kProbes.begin(), kProbes.end(), same) &&
             std::all_of(vocabulary.begin(), vocabulary.end(), same);
    };
    if (sentence_piece) {
      for (const bool space : {true, false}) {
        data_.add_space_prefix = space;
        if (const Tokenizer candidate = Tokenizer::from_gguf(data_); fits(candidate)) {
          note_differences(candidate);
          return;
        }
      }
      refuse("no SentencePiece model gives its token ids");
    }
    if (data_.merges.empty()) refuse("it has no merges");
    std::string tried;
    for (const std::string_view pre : text::gguf_pre_names()) {
      data_.pre = pre;
      if (const Tokenizer candidate = Tokenizer::from_gguf(data_); fits(candidate)) {
        note_differences(candidate);
        return;
      }
      tried += (tried.empty() ? "" : ", ") + std::string(pre);
    }
    refuse("it splits texts like none of tokenizer.ggml.pre's known names (" + tried + ")");
  }

  void note_differences(const Tokenizer& candidate) {
    for (const std::string_view probe : kEdgeProbes) {
      if (alike(original_, candidate, probe, false)) continue;
      notes_.push_back("a text that begins with a space may get other tokens from the GGUF");
      break;
    }
    for (const text::AddedToken& token : parts_.added) {
      const std::string probe = "a" + token.content + "b " + token.content + " c" + token.content;
      if (alike(original_, candidate, probe, true)) continue;
      notes_.push_back("text around " + token.content +
                       " (and other added tokens perhaps) may get other tokens from the GGUF");
      break;
    }
    if (candidate.eos_ids() != original_.eos_ids()) {
      std::string names;
      for (const std::int32_t id : candidate.eos_ids())
        names += (names.empty() ? "" : ", ") + data_.tokens[static_cast<std::size_t>(id)];
      notes_.push_back("other tokens end a generation from the GGUF: " + names);
    }
  }

  const Tokenizer& original_;
  const TokenizerParts& parts_;
  std::int32_t vocab_;
  GgufTokenizerData data_;
  std::vector<std::string> notes_;
};

}  // namespace

GgufTokenizerExport Tokenizer::to_gguf(std::int32_t vocab) const {
  return GgufExporter(*this, *parts_, vocab).run();
}

}  // namespace moebench
