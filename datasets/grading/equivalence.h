#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace moebench {

/// The stage that decided; names in to_string are stable, they go into records.
enum class GradeReason : std::uint8_t {
  kIdenticalText,     ///< same characters after normalisation
  kInteger,           ///< both integers
  kRational,          ///< both rational numbers
  kDecimalPrecision,  ///< decimal gold: equal at the gold's own precision
  kSymbolic,          ///< the same expression
  kModular,           ///< rational functions, compared at points of a field of 2^61 - 1 elements
  kNumericBall,       ///< constants as balls: disjoint, or equal to at least 300 bits
  kRandomPoints,      ///< expressions as balls at several real points
  kStructure,         ///< different shapes: a tuple against a set, two values against three
  kElements,          ///< the same shape; decided by its parts
  kText,              ///< words
  kNoAnswer,          ///< nothing was extracted
  kUnreadable,        ///< no rule can read the answer as mathematics
  kTruncatedOutput,
  kBudget,         ///< too large, too deep or too costly to be graded
  kNotSimplified,  ///< equal, but the task asks for simplest form
  kEngineFailure,
};
std::string_view to_string(GradeReason reason);

struct EquivalenceOptions {
  /// The question asks for a percentage: 12 and 12 % are the same answer then.
  bool percent_expected = false;
  bool require_simplest_form = false;
};

struct Equivalence {
  bool equal = false;
  GradeReason reason = GradeReason::kStructure;
  std::string detail;  ///< a sentence, only where the reason does not say it all
};

/// Whether an answer says the same as the gold: same canonical string, else both parsed
/// (parser.h) and compared exactly by kind (README.md has the table and the rulings). Not symmetric
/// in two respects that the rulings ask for: a decimal gold counts at its own precision, and the
/// gold's percent sign may be left out. Pure, thread-safe; work and memory are bounded whatever the
/// answer.
Equivalence compare_answers(std::string_view gold, std::string_view answer,
                            const EquivalenceOptions& options = {});

/// GSM8K's rule: both are one number, written in any way (currency, units, percent, separators),
/// and the numbers are equal.
Equivalence compare_numbers(std::string_view gold, std::string_view answer);

/// The tree as text, for --explain.
std::string explain_parse(std::string_view answer);

}  // namespace moebench
