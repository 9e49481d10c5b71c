#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace moebench {

enum class TokenKind : std::uint8_t {
  kNumber,   ///< text: digits, '.', and what separates thousands
  kWord,     ///< text: a run of letters
  kCommand,  ///< text: a LaTeX command's name, or the canonical one of a Unicode sign
  kText,     ///< text: the content of \text{...} and its kin
  kChar,     ///< text: one character of + - * / ^ _ ( ) [ ] { } , ; : = < > ! | % ' & . and "\\"
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;
  bool space_before = false;
  bool text_commas = false;  ///< kNumber: "15,600", which could also be two numbers
};

struct TokenStream {
  std::vector<Token> tokens;      ///< ends with kEnd
  bool ambiguous_commas = false;  ///< some number has text_commas
  bool too_long = false;          ///< the answer is over the size budget: nothing was read
};

inline constexpr std::size_t kMaxAnswerBytes = 16384;

/// Cuts an answer in LaTeX or plain text into tokens; views point into `answer` or static storage.
/// `commas_separate`: read 15,600 as two numbers.
TokenStream tokenise(std::string_view answer, bool commas_separate);

}  // namespace moebench
