#pragma once

#include <string>
#include <string_view>

#include "datasets/grading/tree.h"
#include "engine/base/expected.h"

namespace moebench {

struct ParseFailure {
  bool over_budget = false;  ///< too long, too deep or too many parts, instead of unreadable
  std::string what;          ///< "leftover input at \"...\""
};

struct Parsed {
  Tree tree;
  bool ambiguous_commas = false;  ///< reading again with commas_separate gives another tree
};

inline constexpr int kMaxDepth = 120;
inline constexpr std::size_t kMaxNodes = 4000;
inline constexpr std::size_t kMaxLiteralDigits = 5000;

/// Reads an answer in LaTeX or plain text. All of it must make sense: leftover input is a failure,
/// never ignored. Pure and thread-safe; time linear in the input.
Expected<Parsed, ParseFailure> parse_answer(std::string_view answer, bool commas_separate = false);

}  // namespace moebench
