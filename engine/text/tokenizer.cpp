#include "engine/text/tokenizer.h"

#include <algorithm>

#include "engine/base/error.h"
#include "engine/text/tokenizer_parts.h"

namespace moebench {

namespace text {

void TokenizerParts::finish() {
  tokens.build_index();
  symbols.build_index();
  const auto n = static_cast<std::size_t>(tokens.size());
  special.assign(n, false);
  byte_token.resize(n, false);
  for (const AddedToken& token : added) {
    special[static_cast<std::size_t>(token.id)] = token.special;
    if (token.normalized) {
      std::string content = token.content;
      // The normaliser sees the token's text too, since it is looked for in normalised text.
      for (const NormalizeStep& step : normalizer)
        if (step.kind == NormalizeStep::Kind::kForm) content = normalize(content, step.form);
      normalized_matcher.add(token, content);
    } else {
      raw_matcher.add(token, token.content);
    }
  }
  whole_word = std::make_unique<std::atomic<std::uint8_t>[]>(n);
}

namespace {

/// A text cut into pieces: piece i is text[ends[i - 1], ends[i]).
struct Pieces {
  std::string text;
  std::vector<std::size_t> ends;
};

std::string apply_normalizer(const TokenizerParts& parts, std::string_view text) {
  std::string out(text);
  std::vector<Span> matches;
  for (const NormalizeStep& step : parts.normalizer) {
    switch (step.kind) {
      case NormalizeStep::Kind::kForm:
        out = normalize(out, step.form);
        break;
      case NormalizeStep::Kind::kPrepend:
        if (!out.empty()) out.insert(0, step.text);
        break;
      case NormalizeStep::Kind::kReplace: {
        matches.clear();
        step.pattern->find_all(out, 0, matches);
        std::string replaced;
        replaced.reserve(out.size() + matches.size() * step.text.size());
        std::size_t done = 0;
        for (const Span& match : matches) {
          replaced.append(out, done, match.begin - done).append(step.text);
          done = match.end;
        }
        out = replaced.append(out, done);
        break;
      }
    }
  }
  return out;
}

/// Cuts piece [begin, end) at `matches`, appending the ends of the new pieces (and, for kRemoved,
/// the separators' spans to `removed`).
void cut(const PreTokenizeStep& step, std::size_t begin, std::size_t end,
         const std::vector<Span>& matches, std::vector<Span>& out) {
  const auto push = [&](std::size_t from, std::size_t to) {
    if (from < to) out.push_back({from, to});
  };
  if (step.behavior == SplitBehavior::kIsolated) {
    std::size_t done = begin;
    for (const Span& match : matches) {
      push(done, match.begin);
      push(match.begin, match.end);
      done = match.end;
    }
    push(done, end);
    return;
  }
  struct Part {
    Span span;
    bool separator;
  };
  std::vector<Part> list;
  std::size_t done = begin;
  for (const Span& match : matches) {
    if (done < match.begin) list.push_back({{done, match.begin}, step.invert});
    list.push_back({match, !step.invert});
    done = match.end;
  }
  if (done < end) list.push_back({{done, end}, step.invert});
  switch (step.behavior) {
    case SplitBehavior::kIsolated:
      break;
    case SplitBehavior::kRemoved:
      for (const Part& part : list)
        if (!part.separator) push(part.span.begin, part.span.end);
      break;
    case SplitBehavior::kContiguous:
    case SplitBehavior::kMergedWithPrevious: {
      std::vector<Span> merged;
      bool previous = false;
      for (const Part& part : list) {
        const bool join = step.behavior == SplitBehavior::kContiguous ? part.separator == previous
                                                                      : part.separator && !previous;
        if (join && !merged.empty()) {
          merged.back().end = part.span.end;
        } else {
          merged.push_back(part.span);
        }
        previous = part.separator;
      }
      for (const Span& span : merged) push(span.begin, span.end);
      break;
    }
    case SplitBehavior::kMergedWithNext: {
      std::vector<Span> merged;
      bool previous = false;
      for (auto part = list.rbegin(); part != list.rend(); ++part) {
        if (part->separator && !previous && !merged.empty()) {
          merged.back().begin = part->span.begin;
        } else {
          merged.push_back(part->span);
        }
        previous = part->separator;
      }
      for (auto span = merged.rbegin(); span != merged.rend(); ++span) push(span->begin, span->end);
      break;
    }
  }
}

class Encoder {
 public:
  Encoder(const TokenizerParts& parts, std::vector<std::int32_t>& ids) : parts_(parts), ids_(ids) {}

  /// One text between added tokens, normalised. `first`: it begins the whole text.
  void encode_text(std::string_view text, bool first) {
    if (text.empty()) return;
    buffer_.assign(text);
    pieces_.assign(1, {0, buffer_.size()});
    for (const PreTokenizeStep& step : parts_.pre_tokenizer) {
      switch (step.kind) {
        case PreTokenizeStep::Kind::kSplit:
          split(step);
          break;
        case PreTokenizeStep::Kind::kPrefixSpace:
          rewrite([](std::string_view piece, std::string& out) {
            if (!piece.starts_with(' ')) out += ' ';
            out += piece;
          });
          break;
        case PreTokenizeStep::Kind::kMetaspace:
          metaspace(step, first);
          break;
      }
    }
    for (const Span& piece : pieces_)
      encode_word(std::string_view(buffer_).substr(piece.begin, piece.end - piece.begin));
  }

 private:
  void split(const PreTokenizeStep& step) {
    next_.clear();
    for (const Span& piece : pieces_) {
      matches_.clear();
      step.pattern->find_all(std::string_view(buffer_).substr(piece.begin, piece.end - piece.begin),
                             piece.begin, matches_);
      cut(step, piece.begin, piece.end, matches_, next_);
    }
    pieces_.swap(next_);
  }

  template <class F>
  void rewrite(F f) {
    std::string out;
    out.reserve(buffer_.size() + pieces_.size());
    next_.clear();
    for (const Span& piece : pieces_) {
      const std::size_t begin = out.size();
      f(std::string_view(buffer_).substr(piece.begin, piece.end - piece.begin), out);
      next_.push_back({begin, out.size()});
    }
    buffer_.swap(out);
    pieces_.swap(next_);
  }

  void metaspace(const PreTokenizeStep& step, bool first) {
    bool first_piece = first;
    rewrite([&](std::string_view piece, std::string& out) {
      const bool prepend = step.prepend == PreTokenizeStep::Prepend::kAlways ||
                           (step.prepend == PreTokenizeStep::Prepend::kFirst && first_piece);
      if (prepend && !piece.starts_with(' ') && !piece.starts_with(step.replacement))
        out += step.replacement;
      for (const char c : piece) {
        if (c == ' ') {
          out += step.replacement;
        } else {
          out += c;
        }
      }
      first_piece = false;
    });
  }

  void encode_word(std::string_view word) {
    const std::int32_t whole = parts_.symbols.find(word);
    if (whole >= 0) {
      if (parts_.ignore_merges) {
        ids_.push_back(whole);
        return;
      }
      std::atomic<std::uint8_t>& known = parts_.whole_word[static_cast<std::size_t>(whole)];
      const std::uint8_t state = known.load(std::memory_order_relaxed);
      if (state == 1) {
        ids_.push_back(whole);
        return;
      }
      merge(word);
      if (state == 0)
        known.store(word_.size() == 1 && word_[0] == whole ? 1 : 2, std::memory_order_relaxed);
    } else {
      merge(word);
    }
    ids_.insert(ids_.end(), word_.begin(), word_.end());
  }

  void merge(std::string_view word) {
    word_.clear();
    bool after_unknown = false;
    const auto push_unknown = [&] {
      // Without an unknown token the symbol is lost, as it is for the reference.
      if (!parts_.unknown_id) return;
      if (!after_unknown || !parts_.fuse_unknown) word_.push_back(*parts_.unknown_id);
      after_unknown = true;
    };
    if (parts_.alphabet == Alphabet::kBytes) {
      for (const char c : word) {
        const std::int32_t id = parts_.byte_ids[static_cast<unsigned char>(c)];
        if (id < 0) {
          push_unknown();
        } else {
          word_.push_back(id);
          after_unknown = false;
        }
      }
    } else {
      for (std::size_t i = 0; i < word.size();) {
        const CodePoint c = read_code_point(word, i);
        const std::string_view symbol = word.substr(i, static_cast<std::size_t>(c.size_bytes));
        i += symbol.size();
        const std::int32_t id = parts_.symbols.find(symbol);
        if (id >= 0) {
          word_.push_back(id);
          after_unknown = false;
          continue;
        }
        const bool bytes =
            parts_.byte_fallback && std::all_of(symbol.begin(), symbol.end(), [&](char b) {
              return parts_.byte_ids[static_cast<unsigned char>(b)] >= 0;
            });
        if (!bytes) {
          push_unknown();
          continue;
        }
        for (const char b : symbol) word_.push_back(parts_.byte_ids[static_cast<unsigned char>(b)]);
      }
    }
    parts_.bpe.merge(word_);
  }

  const TokenizerParts& parts_;
  std::vector<std::int32_t>& ids_;
  std::string buffer_;
  std::vector<Span> pieces_, next_, matches_;
  std::vector<std::int32_t> word_;
};

}  // namespace
}  // namespace text

Tokenizer::Tokenizer(std::shared_ptr<const text::TokenizerParts> parts)
    : parts_(std::move(parts)) {}

std::vector<std::int32_t> Tokenizer::encode(std::string_view input, EncodeOptions options) const {
  std::string replaced;
  if (!text::is_valid_utf8(input)) {
    replaced = text::replace_invalid_utf8(input);
    input = replaced;
  }
  std::vector<std::int32_t> ids;
  ids.reserve(input.size() / 3 + 4);
  if (options.add_special) ids = parts_->prefix;
  text::Encoder encoder(*parts_, ids);
  std::vector<text::Segment> raw, inner;
  if (parts_->raw_matcher.empty()) {
    raw.push_back({{0, input.size()}, -1});
  } else {
    parts_->raw_matcher.split(input, !options.parse_special, raw);
  }
  bool after_token = true;
  for (const text::Segment& segment : raw) {
    if (segment.id >= 0) {
      ids.push_back(segment.id);
      after_token = true;
      continue;
    }
    const std::string_view part =
        input.substr(segment.span.begin, segment.span.end - segment.span.begin);
    std::string normalized;
    std::string_view view = part;
    if (parts_->space_prefix_after_special && after_token && !part.empty()) {
      normalized = " ";
      normalized += part;
      normalized = text::apply_normalizer(*parts_, normalized);
      view = normalized;
    } else if (!parts_->normalizer.empty()) {
      normalized = text::apply_normalizer(*parts_, part);
      view = normalized;
    }
    const bool first = segment.span.begin == 0;
    if (parts_->normalized_matcher.empty()) {
      encoder.encode_text(view, first);
    } else {
      inner.clear();
      parts_->normalized_matcher.split(view, !options.parse_special, inner);
      for (const text::Segment& token : inner) {
        if (token.id >= 0) {
          ids.push_back(token.id);
        } else {
          encoder.encode_text(view.substr(token.span.begin, token.span.end - token.span.begin),
                              first && token.span.begin == 0);
        }
      }
    }
    after_token = false;
  }
  if (options.add_special) ids.insert(ids.end(), parts_->suffix.begin(), parts_->suffix.end());
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  std::string bytes;
  std::size_t run = std::string::npos;  // where a run of <0xNN> tokens began
  const auto close_run = [&] {
    if (run == std::string::npos) return;
    // The reference drops a broken run whole: one U+FFFD a byte.
    if (!text::is_valid_utf8(std::string_view(bytes).substr(run))) {
      const std::size_t n = bytes.size() - run;
      bytes.resize(run);
      for (std::size_t i = 0; i < n; ++i) bytes += "\xEF\xBF\xBD";
    }
    run = std::string::npos;
  };
  for (const std::int32_t id : ids) {
    const std::string_view piece = token_bytes(id);
    if (skip_special && is_special(id)) continue;
    if (parts_->byte_token[static_cast<std::size_t>(id)]) {
      if (run == std::string::npos) run = bytes.size();
    } else {
      close_run();
    }
    bytes += piece;
  }
  close_run();
  std::size_t strip = 0;
  while (strip < parts_->decode_strip_leading_spaces && strip < bytes.size() && bytes[strip] == ' ')
    ++strip;
  bytes.erase(0, strip);
  return text::is_valid_utf8(bytes) ? bytes : text::replace_invalid_utf8(bytes);
}

std::string_view Tokenizer::token_bytes(std::int32_t id) const {
  if (!is_token(id))
    throw Error(ErrorCode::kUsage, parts_->name + ": there is no token with id " +
                                       std::to_string(id) + " (ids go from 0 to " +
                                       std::to_string(vocab_size() - 1) + ")");
  return parts_->decoded.text(id);
}

bool Tokenizer::is_token(std::int32_t id) const noexcept { return parts_->decoded.contains(id); }

bool Tokenizer::is_special(std::int32_t id) const noexcept {
  return is_token(id) && parts_->special[static_cast<std::size_t>(id)];
}

std::optional<std::int32_t> Tokenizer::find(std::string_view token) const {
  const std::int32_t id = parts_->tokens.find(token);
  return id < 0 ? std::nullopt : std::optional(id);
}

std::int32_t Tokenizer::vocab_size() const noexcept { return parts_->tokens.size(); }
std::optional<std::int32_t> Tokenizer::bos_id() const noexcept { return parts_->bos_id; }
const std::vector<std::int32_t>& Tokenizer::eos_ids() const noexcept { return parts_->eos_ids; }

bool Tokenizer::is_eos(std::int32_t id) const noexcept {
  return std::binary_search(parts_->eos_ids.begin(), parts_->eos_ids.end(), id);
}

const std::vector<std::pair<std::string, std::string>>& Tokenizer::special_tokens() const noexcept {
  return parts_->special_tokens;
}

const std::string& Tokenizer::chat_template() const noexcept { return parts_->chat_template; }

}  // namespace moebench
