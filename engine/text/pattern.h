#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace moebench::text {

/// A span of bytes of some text.
struct Span {
  std::size_t begin = 0, end = 0;
};

/// A regular expression of a tokenizer file, matched by PCRE2 with JIT. Tokenizer files are written
/// for Oniguruma (Ruby syntax, Unicode); what means something else in PCRE2 is translated, and what
/// cannot be is refused. Matching has a step limit, since both pattern and text may be hostile.
/// Thread-safe once built; cheap to copy.
class Pattern {
 public:
  /// Throws Error(kBadModel) that quotes the pattern and says what is wrong with it.
  explicit Pattern(std::string_view oniguruma_source);
  /// A pattern that matches this very text.
  static Pattern literal(std::string_view text);

  /// All matches in `text` (valid UTF-8), left to right, not overlapping, appended to `matches`
  /// with `offset` added. Throws Error(kBadModel) when a limit is hit.
  void find_all(std::string_view text, std::size_t offset, std::vector<Span>& matches) const;

  const std::string& source() const noexcept;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

/// The translation alone: what PCRE2 (UTF, UCP, multiline) is given. For tests.
std::string translate_oniguruma(std::string_view source);

}  // namespace moebench::text
