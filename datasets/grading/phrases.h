#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "datasets/grading/tree.h"

namespace moebench {

/// Answers that are words or notation rather than expressions: "no solution", "all real numbers", a
/// time of day, a choice letter, a number in another base. Fills the tree and returns true if the
/// whole answer is one.
bool parse_phrase(std::string_view answer, Tree& tree);

/// Letters and digits only, lower case, LaTeX markup removed: how words are compared. Keeps signs
/// and operators, so that "x-1" and "x+1" differ.
std::string plain_words(std::string_view answer);

/// The pieces of a list of words ("C, E", "C and E"), each as plain_words, sorted.
std::vector<std::string> text_parts(std::string_view answer);

enum class UnitClass : std::uint8_t { kOther, kPercent, kDegree, kNone };
UnitClass classify_unit(std::string_view unit);

/// Short unit names that may stand behind a number without \text: cm, km, mph, ...
bool is_known_unit(std::string_view word);

/// Words that mean mathematics: sqrt, sin, pi, infinity, ...
bool is_math_word(std::string_view word);

/// True where the two units are known and measure the same thing in different sizes: cm and m,
/// cents and dollars, degrees and radians.
bool units_conflict(std::string_view a, std::string_view b);

}  // namespace moebench
