#include "datasets/extraction/extraction.h"

#include <algorithm>
#include <array>
#include <optional>

#include "datasets/extraction/cues.h"

namespace moebench {
namespace {

constexpr std::size_t kMaxTextBytes = 1u << 18;

/// Text the model never meant as its answer: what follows an end-of-turn token.
constexpr std::string_view kEndTokens[] = {"<|im_end|>", "<|eot_id|>",      "<|endoftext|>",
                                           "</s>",       "<|end_of_text|>", "<｜end▁of▁sentence｜>",
                                           "<|end|>",    "<end_of_turn>",   "<|im_start|>"};
/// How a model that runs on begins the next problem; each at the start of a line.
constexpr std::string_view kNextProblem[] = {
    "Question:",    "Q:",          "Problem:",        "Human:",       "User:",
    "### Question", "### Problem", "### Instruction", "Question ",    "Problem ",
    "**Question",   "**Problem",   "Next question",   "Next problem", "[Question]",
    "Exercise:",    "## Problem",  "## Question",     "Example "};

struct Tracer {
  std::vector<std::string>* lines = nullptr;
  void operator()(std::string line) const {
    if (lines) lines->push_back(std::move(line));
  }
};

std::string shortened(std::string_view text) {
  std::string out(text.substr(0, 60));
  if (text.size() > 60) out += "...";
  for (char& c : out) {
    if (c == '\n') c = ' ';
  }
  return out;
}

std::size_t find_any_mark(std::string_view text, const ExtractionRules& rules) {
  std::size_t first = std::string_view::npos;
  for (const std::string& mark : rules.run_on_marks) first = std::min(first, text.find(mark));
  for (std::size_t line = text.find('\n'); line != std::string_view::npos;
       line = text.find('\n', line + 1)) {
    const std::string_view rest = text.substr(line + 1);
    for (const std::string_view mark : kNextProblem) {
      if (!rest.starts_with(mark)) continue;
      const bool numbered = mark.ends_with(' ');  // "Problem 2", not "Problem solving"
      if (numbered &&
          !(rest.size() > mark.size() && rest[mark.size()] >= '0' && rest[mark.size()] <= '9'))
        continue;
      first = std::min(first, line);
    }
    if (first <= line) break;
  }
  return first;
}

/// Cuts a run-on next problem off, if an answer was stated before it.
std::string_view without_run_on(std::string_view text, const ExtractionRules& rules,
                                const Tracer& trace) {
  std::size_t from = 0;
  for (int marks = 0; marks < 16; ++marks) {
    const std::size_t at = find_any_mark(text.substr(from), rules);
    if (at == std::string_view::npos) return text;
    const std::string_view before = text.substr(0, from + at);
    if (states_an_answer(before)) {
      trace("cut off at \"" + shortened(text.substr(from + at, 40)) +
            "\": the next problem begins");
      return before;
    }
    from += at + 1;
  }
  return text;
}

/// The number that a line after #### begins with, or the line itself when it is more than a number.
std::string hash_answer(std::string_view line) {
  line = trim_answer(line);
  return std::string(line);
}

}  // namespace

std::string_view to_string(ExtractionRule rule) {
  switch (rule) {
    case ExtractionRule::kNone:
      return "none";
    case ExtractionRule::kHash:
      return "hash";
    case ExtractionRule::kBox:
      return "box";
    case ExtractionRule::kBoxGroup:
      return "box-group";
    case ExtractionRule::kFinalAnswer:
      return "final-answer";
    case ExtractionRule::kAnswerIs:
      return "answer-is";
    case ExtractionRule::kAnswerLabel:
      return "answer-label";
    case ExtractionRule::kBold:
      return "bold";
    case ExtractionRule::kLastNumber:
      return "last-number";
    case ExtractionRule::kLastMath:
      return "last-math";
    case ExtractionRule::kWholeText:
      return "whole-text";
  }
  return "none";
}

std::string last_boxed(std::string_view text) {
  const std::vector<Box> boxes = drop_refused(text, find_boxes(text));
  return boxes.empty() ? std::string() : std::string(boxes.back().content);
}

Extraction extract_answer(const ExtractionRules& rules, std::string_view output, bool with_trace) {
  Extraction result;
  const Tracer trace{with_trace ? &result.trace : nullptr};
  const auto found = [&](std::string answer, ExtractionRule rule) {
    trace(std::string(to_string(rule)) + ": \"" + shortened(answer) + "\"");
    result.status = ExtractionStatus::kFound;
    result.answer = std::move(answer);
    result.rule = rule;
    return result;
  };

  if (!after_thinking(output)) {
    trace("the thinking is not closed: truncated");
    result.status = ExtractionStatus::kUnclosedThinking;
    return result;
  }
  if (output.size() > kMaxTextBytes) output.remove_prefix(output.size() - kMaxTextBytes);
  for (const std::string_view token : kEndTokens) {
    const std::size_t at = output.find(token);
    if (at != std::string_view::npos && output.find_first_not_of(" \n\t") < at)
      output = output.substr(0, at);
  }
  const std::string_view text = without_run_on(output, rules, trace);

  const bool numbers =
      rules.kind == ExtractionKind::kStrictHash || rules.kind == ExtractionKind::kFlexibleNumber;
  // The hash mark is the dataset's own: where it stands, it is meant. The last one that is not
  // empty.
  const auto hash = [&]() -> std::optional<std::string> {
    int tries = 0;
    for (std::size_t at = rfind_fast(text, "####"); at != std::string_view::npos;
         at = at == 0 ? std::string_view::npos : rfind_fast(text.substr(0, at + 3), "####")) {
      if (++tries > 16) break;
      if (at > 0 && text[at - 1] == '#') continue;
      std::string_view line = text.substr(at + 4);
      if (line.starts_with('#')) continue;
      const std::size_t begin = line.find_first_not_of(" \t\n");
      if (begin == std::string_view::npos) continue;
      line.remove_prefix(begin);
      std::string answer = hash_answer(line.substr(0, line.find('\n')));
      if (retraction(text.substr(at + 4)) != Retraction::kNone) {
        trace("#### " + shortened(answer) + " is taken back afterwards");
        continue;
      }
      if (numbers) {
        if (auto number = first_number_if_prose(answer)) return number;
        continue;
      }
      // In MATH's tasks #### may be a Markdown heading: "#### Step 3".
      if (answer.find_first_of("0123456789\\$") == std::string::npos || looks_like_prose(answer))
        continue;
      return answer;
    }
    return std::nullopt;
  };
  if (numbers) {
    if (auto answer = hash()) return found(*answer, ExtractionRule::kHash);
    if (rules.kind == ExtractionKind::kStrictHash) {
      trace("no ####: nothing found");
      return result;
    }
  }

  Retraction taken_back = Retraction::kNone;
  std::optional<BoxGroup> doubted;
  const auto box = [&](const BoxGroup& group) {
    if (group.parts.size() > 1) result.parts = group.parts;
    return found(group.answer,
                 result.parts.empty() ? ExtractionRule::kBox : ExtractionRule::kBoxGroup);
  };
  const std::vector<Box> boxes = drop_refused(text, find_boxes(text));
  if (rules.kind != ExtractionKind::kStatedAnswer || find_cue(text, Cue::kFinalAnswer).empty()) {
    if (!boxes.empty()) {
      const BoxGroup group = last_group(text, boxes);
      taken_back = retraction(text.substr(group.end));
      if (taken_back == Retraction::kNone) return box(group);
      if (taken_back == Retraction::kDoubted) doubted = group;
      trace("box \"" + shortened(group.answer) + "\" is " + (doubted ? "doubted" : "taken back") +
            " afterwards");
    }
  }
  if (rules.kind == ExtractionKind::kStrictBoxed) {
    if (doubted) return box(*doubted);
    trace("no box: nothing found");
    return result;
  }
  const bool retracted = taken_back != Retraction::kNone;
  const std::string_view rest = retracted ? text.substr(boxes.back().end) : text;
  if (std::string answer = find_cue(rest, Cue::kFinalAnswer); !answer.empty())
    return found(answer, ExtractionRule::kFinalAnswer);
  if (std::string answer = find_cue(rest, Cue::kAnswerIs); !answer.empty())
    return found(answer, ExtractionRule::kAnswerIs);
  if (std::string answer = find_cue(rest, Cue::kLabel); !answer.empty())
    return found(answer, ExtractionRule::kAnswerLabel);
  if (!numbers) {
    if (auto answer = hash()) return found(*answer, ExtractionRule::kHash);
  }
  if (doubted) return box(*doubted);  // no other answer came of it
  if (looks_truncated(rest)) {
    trace("a formula or box is not closed: cut off, nothing found");
    return result;
  }
  if (std::string answer = last_bold(rest); !answer.empty())
    return found(answer, ExtractionRule::kBold);
  if (!numbers && !retracted) {
    if (std::string answer = whole_text(rest); !answer.empty())
      return found(answer, ExtractionRule::kWholeText);
  }
  if (!numbers) {
    if (std::string answer = last_math(rest); !answer.empty())
      return found(answer, ExtractionRule::kLastMath);
  }
  if (numbers || concludes(rest)) {
    if (std::string answer = last_number(numbers ? rest : last_sentence(rest)); !answer.empty()) {
      return found(answer, ExtractionRule::kLastNumber);
    }
  }
  trace("nothing found");
  return result;
}

}  // namespace moebench
