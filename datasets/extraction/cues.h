#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moebench {

// What an answer's whereabouts look like in running text. Everything here is linear in the text.

/// Advances `output` behind the thinking. False if a thinking block is open to the end.
bool after_thinking(std::string_view& output);

/// string_view::rfind, faster where the needle's first byte is rare.
std::size_t rfind_fast(std::string_view text, std::string_view needle);

struct Box {
  std::size_t begin = 0, end = 0;  ///< of "\boxed{...}" in the text
  std::string_view content;        ///< between the braces, trimmed
};

/// Every closed, non-empty \boxed{...} and \fbox{...} in order, nested ones left out.
std::vector<Box> find_boxes(std::string_view text);

/// Without the boxes that the sentence refuses: "6, not \boxed{5}". All of them if it refuses all.
std::vector<Box> drop_refused(std::string_view text, std::vector<Box> boxes);

struct BoxGroup {
  std::string answer;
  std::vector<std::string> parts;  ///< the different boxes, in order
  std::size_t end = 0;
};

/// The last box with those before it that only "and", "or", a comma or a name with an equals sign
/// stand between.
BoxGroup last_group(std::string_view text, const std::vector<Box>& boxes);

enum class Retraction : std::uint8_t {
  kNone,
  kDoubted,    ///< "wait, let me recheck": counts where another answer follows
  kTakenBack,  ///< "that is wrong"
};

/// Whether what directly follows an answer takes it back.
Retraction retraction(std::string_view after);

enum class Cue : std::uint8_t {
  kFinalAnswer,  ///< "the final answer is", "Final answer:"
  kAnswerIs,     ///< "the answer is", "answer =", "the correct answer is"
  kLabel,        ///< "ANSWER: ...", "A: ..." at the start of a line
};

/// What the last such cue is followed by, without its delimiters and trailing prose; empty if there
/// is none with something that can be an answer.
std::string find_cue(std::string_view text, Cue cue);

/// Any sign of a stated answer, for telling a run-on from a problem that is restated.
bool states_an_answer(std::string_view text);

/// Without white space, Markdown's stars, a final period and delimiters of mathematics.
std::string_view trim_answer(std::string_view text);

/// A number's text where the answer is "18 dollars" or "The total is 18": nullopt if it has none.
std::optional<std::string> first_number_if_prose(const std::string& answer);

bool looks_like_prose(std::string_view text);
bool looks_truncated(std::string_view text);  ///< an open box or formula at the end
bool concludes(std::string_view text);        ///< the last line says so, thus, hence, therefore, =
std::string_view last_line(std::string_view text);
std::string_view last_sentence(std::string_view text);
std::string last_bold(std::string_view text);
std::string whole_text(std::string_view text);
std::string last_math(std::string_view text);
std::string last_number(std::string_view text);

}  // namespace moebench
