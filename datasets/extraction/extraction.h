#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moebench {

/// What the task's protocol accepts as "the answer is here".
enum class ExtractionKind : std::uint8_t {
  kStrictHash,      ///< GSM8K strict: the number after `####` and nothing else
  kFlexibleNumber,  ///< GSM8K flexible: `####`, a box, "the answer is", else the last number
  kBoxed,           ///< MATH: the last box, else a stated final answer
  kStrictBoxed,     ///< only a box counts
  kStatedAnswer,    ///< "Final Answer: The final answer is X", "the answer is X", a box
};

struct ExtractionRules {
  ExtractionKind kind = ExtractionKind::kBoxed;
  /// Where a model that runs on begins to write the next problem: text from the first of these on
  /// is cut off (when something was written before it).
  std::vector<std::string> run_on_marks;
};

/// Which rule found the answer; names in to_string are stable, they go into records.
enum class ExtractionRule : std::uint8_t {
  kNone,
  kHash,         ///< #### N
  kBox,          ///< \boxed{} or \fbox{}
  kBoxGroup,     ///< several boxes joined by "and", "or", a comma
  kFinalAnswer,  ///< "final answer is ..."
  kAnswerIs,     ///< "the answer is ..."
  kAnswerLabel,  ///< "ANSWER: ..."
  kBold,         ///< **...** at the end
  kLastNumber,
  kLastMath,   ///< the last $...$ of the text
  kWholeText,  ///< a bare answer: the text is nothing but one
};
std::string_view to_string(ExtractionRule rule);

enum class ExtractionStatus : std::uint8_t { kFound, kNothing, kUnclosedThinking };

struct Extraction {
  ExtractionStatus status = ExtractionStatus::kNothing;
  std::string answer;  ///< as written, without its delimiters
  ExtractionRule rule = ExtractionRule::kNone;
  std::vector<std::string> parts;  ///< of a box group: each box; empty otherwise
  std::vector<std::string> trace;  ///< what each step did, for --explain; filled on request only
};

/// Finds the answer in a model's output. Pure, thread-safe, linear in the text (of which at most
/// the last 256 KiB after the thinking is looked at).
Extraction extract_answer(const ExtractionRules& rules, std::string_view output,
                          bool with_trace = false);

/// The gold answer inside a MATH solution: the content of the last box; empty if there is none.
std::string last_boxed(std::string_view text);

}  // namespace moebench
