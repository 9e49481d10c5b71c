#include "datasets/extraction/cues.h"

#include <algorithm>
#include <array>

#include "datasets/extraction/text_search.h"

namespace moebench {

using namespace text_search;

Retraction retraction(std::string_view after) {
  // Nearby only: what is said pages later is about something else.
  after = after.substr(0, 600);
  static constexpr std::string_view kTakenBack[] = {"that is wrong",
                                                    "that's wrong",
                                                    "this is wrong",
                                                    "that is incorrect",
                                                    "that's incorrect",
                                                    "this is incorrect",
                                                    "i made a mistake",
                                                    "i made an error",
                                                    "that was wrong",
                                                    "that was a mistake",
                                                    "that was incorrect",
                                                    "is not correct",
                                                    "isn't right",
                                                    "that's not right",
                                                    "that is not right",
                                                    "isn't correct",
                                                    "not correct",
                                                    "correction:",
                                                    "scratch that",
                                                    "is wrong",
                                                    "was wrong",
                                                    "i was wrong",
                                                    "actually, no",
                                                    "actually no",
                                                    "oops",
                                                    "i misread",
                                                    "i miscalculated",
                                                    "this is a mistake"};
  static constexpr std::string_view kDoubted[] = {"let me redo",
                                                  "let me recompute",
                                                  "let me recalculate",
                                                  "let me re-check",
                                                  "let me recheck",
                                                  "let me try again",
                                                  "let me reconsider",
                                                  "hold on",
                                                  "no wait",
                                                  "no, wait",
                                                  "wait,",
                                                  "wait.",
                                                  "wait -",
                                                  "wait!",
                                                  "on second thought"};
  // "Checking whether this is wrong: it holds, so the answer is right" keeps the answer.
  static constexpr std::string_view kKept[] = {"is correct",  "is right",      "was right",
                                               "was correct", "still holds",   "it holds",
                                               "checks out",  "answer stands", "confirms"};
  const auto says = [&](const auto& phrases) {
    for (const std::string_view phrase : phrases) {
      const std::size_t at = find_ignoring_case(after, phrase);
      if (at == kNone || (at > 0 && is_letter(after[at - 1]))) continue;
      const std::string_view rest = after.substr(at);
      return std::none_of(std::begin(kKept), std::end(kKept), [&](std::string_view kept) {
        const std::size_t kept_at = find_ignoring_case(rest, kept);
        return kept_at != kNone && kept_at > 0;
      });
    }
    return false;
  };
  if (says(kTakenBack)) return Retraction::kTakenBack;
  return says(kDoubted) ? Retraction::kDoubted : Retraction::kNone;
}

std::string_view trim_answer(std::string_view text) {
  while (true) {
    const std::size_t before = text.size();
    text = trim_space(text);
    if (text.starts_with("**") && text.ends_with("**") && text.size() > 4)
      text = text.substr(2, text.size() - 4);
    else if (text.starts_with("**") && text.find("**", 2) == kNone)
      text.remove_prefix(2);
    else if (text.ends_with("**") && text.find("**") == text.size() - 2)
      text.remove_suffix(2);
    if (text.starts_with("\\(") && text.ends_with("\\)"))
      text = text.substr(2, text.size() - 4);
    else if (text.starts_with("\\[") && text.ends_with("\\]"))
      text = text.substr(2, text.size() - 4);
    else if (text.size() > 4 && text.starts_with("$$") && text.ends_with("$$"))
      text = text.substr(2, text.size() - 4);
    else if (text.size() > 2 && text.starts_with('$') && text.ends_with('$') &&
             !text.ends_with("\\$") && text.find('$', 1) == text.size() - 1)
      text = text.substr(1, text.size() - 2);
    while (!text.empty() &&
           (text.back() == '.' || text.back() == ',' || text.back() == ';' || text.back() == ':') &&
           !text.ends_with(".."))
      text.remove_suffix(1);
    while (!text.empty() && (text.front() == ':' || text.front() == '=' || text.front() == '`'))
      text.remove_prefix(1);
    while (text.ends_with('`')) text.remove_suffix(1);
    if (text.size() > 1 && text.starts_with('"') && text.ends_with('"'))
      text = text.substr(1, text.size() - 2);
    if (text.size() == before) return text;
  }
}

bool looks_like_prose(std::string_view text) {
  int words = 0;
  std::size_t run = 0;
  bool command = false;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && is_letter(text[i])) {
      if (run == 0) command = i > 0 && (text[i - 1] == '\\' || text[i - 1] == '{');
      ++run;
    } else {
      if (run >= 3 && !command) ++words;
      run = 0;
    }
  }
  return words > 4;
}

namespace {

/// Where " for n = 3" begins behind an answer: it says for which case, not what.
std::size_t condition_at(std::string_view text) {
  const std::size_t at = text.find(" for ");
  if (at == kNone || at == 0 || at + 7 > text.size()) return kNone;
  const std::string_view rest = text.substr(at + 5);
  const std::size_t sign = rest.find('=');
  return is_letter(rest[0]) && sign != kNone && sign <= 2 ? at : kNone;
}

/// A formula at the start of the text, with others joined to it by "and", "or", commas; else what
/// runs to the end of the sentence, without an explanation.
std::string answer_at(std::string_view text) {
  std::size_t i = 0;
  const auto skip_space = [&] {
    while (i < text.size() && std::string_view(" \t\n:*=_`>,").find(text[i]) != kNone) ++i;
  };
  skip_space();
  if (i >= text.size()) return {};
  text.remove_prefix(i);
  for (const std::string_view filler :
       {"therefore ",  "thus ",      "simply ",   "just ",   "clearly ",  "then ",
        "hence ",      "exactly ",   "option ",   "choice ", "actually ", "equal to ",
        "given by ",   "indeed ",    "also ",     "now ",    "in fact, ", "in fact ",
        "of course, ", "there are ", "there is ", "it is "}) {
    if (equals_ignoring_case(text, filler)) text.remove_prefix(filler.size());
  }
  text = trim_space(text);
  if (text.empty()) return {};
  // A box inside the statement.
  const std::string_view line = text.substr(0, text.find('\n', 0));
  if (const std::vector<Box> boxes = find_boxes(line); !boxes.empty())
    return last_group(line, boxes).answer;
  struct Delimiters {
    std::string_view open, close;
  };
  static constexpr Delimiters kDelimiters[] = {
      {"$$", "$$"}, {"$", "$"}, {"\\(", "\\)"}, {"\\[", "\\]"}};
  // Delimited formulas: "$3$ and $5$" are one answer.
  std::string answer;
  std::size_t at = 0;
  while (true) {
    bool matched = false;
    for (const Delimiters& pair : kDelimiters) {
      if (!text.substr(at).starts_with(pair.open)) continue;
      const std::size_t begin = at + pair.open.size();
      if (pair.open == "$" && begin < text.size() && is_digit(text[begin])) {
        // "$18 per day" is money, "$18$" a formula.
        const std::size_t close = text.find('$', begin);
        const std::size_t newline = text.find('\n', begin);
        if (close == kNone || close > newline) break;
        const std::string_view inside = text.substr(begin, close - begin);
        if (looks_like_prose(inside) || inside.ends_with(' ')) break;
      }
      const std::size_t close = text.find(pair.close, begin);
      if (close == kNone) return {};
      answer += trim_space(text.substr(begin, close - begin));
      at = close + pair.close.size();
      matched = true;
      break;
    }
    if (!matched) break;
    std::size_t next = at;
    while (next < text.size() && text[next] == ' ') ++next;
    std::string joiner;
    if (text.substr(next).starts_with(", and "))
      joiner = ", and ";
    else if (text.substr(next).starts_with("and "))
      joiner = "and ";
    else if (text.substr(next).starts_with("or "))
      joiner = "or ";
    else if (text.substr(next).starts_with(", or "))
      joiner = ", or ";
    else if (text.substr(next).starts_with(", "))
      joiner = ", ";
    if (joiner.empty()) break;
    const std::string_view follows = text.substr(next + joiner.size());
    if (!follows.starts_with("$") && !follows.starts_with("\\(")) break;
    answer += joiner.starts_with("and") || joiner.starts_with("or") ? " " + joiner : joiner;
    at = next + joiner.size();
  }
  if (at > 0) {
    // A unit behind the formula, up to the end of the sentence: "$5$ cm".
    const std::string_view tail = text.substr(at);
    std::size_t end = 0;
    while (end < tail.size() &&
           (is_letter(tail[end]) || tail[end] == ' ' || tail[end] == '%' || tail[end] == '\\'))
      ++end;
    const std::string_view unit = trim_space(tail.substr(0, end));
    const bool ends =
        end == tail.size() || tail[end] == '.' || tail[end] == '\n' || tail[end] == ',';
    if (ends && (unit == "%" || unit == "\\%" || unit == "degrees" || unit == "percent" ||
                 unit == "radians"))
      answer += " " + std::string(unit);
    return std::string(trim_answer(answer));
  }
  if (text.starts_with("**")) {
    const std::size_t close = text.find("**", 2);
    if (close != kNone && close < 200) return answer_at(text.substr(2, close - 2));
  }
  // To the end of the sentence.
  std::size_t end = 0;
  int depth = 0;
  while (end < text.size() && text[end] != '\n') {
    const char c = text[end];
    if (c == '{' || c == '(' || c == '[') ++depth;
    if (c == '}' || c == ')' || c == ']') --depth;
    if (depth <= 0 && (c == '.' || c == '!' || c == '?')) {
      const bool next_space = end + 1 >= text.size() || text[end + 1] == ' ' ||
                              text[end + 1] == '\n' || text[end + 1] == '*' || text[end + 1] == '"';
      const bool abbreviation =
          end >= 1 && (to_lower(text[end - 1]) == 'm') && end >= 3 && text[end - 2] == '.';  // a.m.
      const bool factorial = c == '!' && end + 1 < text.size() && text[end + 1] == ' ' && end > 0 &&
                             is_digit(text[end - 1]) && end + 2 < text.size() &&
                             std::string_view("+-*/=\\").find(text[end + 2]) != kNone;
      const bool short_form = c == '.' && end >= 1 &&
                              (text[end - 1] == 'a' || text[end - 1] == 'p') &&
                              end + 1 < text.size() && text[end + 1] == 'm';
      if (next_space && !abbreviation && !factorial && !short_form && c != '!') break;
      if (next_space && c == '!' && !factorial && end > 0 && !is_digit(text[end - 1])) break;
    }
    ++end;
    if (end > 600) return {};
  }
  std::string_view answer_text = text.substr(0, end);
  for (const std::string_view prose :
       {" because",         ", because",   ", since",   " since ",      ", which",
        " which ",          ", as ",       ", so ",     " so that",     " (since",
        ", where",          " where ",     " when ",    " as required", ", and this",
        ", not ",           " instead of", ", but ",    " but ",        " (not ",
        " per the ",        ", but",       " for the ", ", I hope",     ", or equivalently",
        " or equivalently", ", i.e.",      " i.e.",     ", that is"}) {
    const std::size_t at_prose = find_ignoring_case(answer_text, prose);
    if (at_prose != kNone && at_prose > 0) answer_text = answer_text.substr(0, at_prose);
  }
  if (const std::size_t condition = condition_at(answer_text); condition != kNone)
    answer_text = answer_text.substr(0, condition);
  answer_text = trim_answer(answer_text);
  for (const char mark : {'*', '_'}) {  // The answer is *7*: the first star went before
    if (answer_text.size() > 1 && answer_text.back() == mark &&
        answer_text.find(mark) == answer_text.size() - 1)
      answer_text.remove_suffix(1);
  }
  // "It is 0.5!" is glad, not a factorial.
  if (answer_text.ends_with('!') && answer_text.find('.') != kNone) answer_text.remove_suffix(1);
  return std::string(answer_text);
}

bool can_be_answer(std::string_view answer) {
  if (answer.empty() || answer.size() > 600) return false;
  if (looks_like_prose(answer)) return false;
  static constexpr std::string_view kNotAnswers[] = {
      "correct", "incorrect", "wrong", "as follows", "unclear",  "unknown", "not",   "shown",
      "below",   "above",     "clear", "obvious",    "the same", "found",   "needed"};
  for (const std::string_view word : kNotAnswers) {
    if (equals_ignoring_case(answer, word) &&
        (answer.size() == word.size() || !is_letter(answer[word.size()])))
      return false;
  }
  return true;
}

}  // namespace

std::string find_cue(std::string_view text, Cue cue) {
  constexpr std::size_t kTail = 32768;  // a conclusion stands near the end
  if (text.size() > kTail) text.remove_prefix(text.size() - kTail);
  static constexpr std::string_view kFinal[] = {
      "final answer is", "final answer:", "final answer =",  "final answer**:",
      "final answer:**", "final answer",  "final result is", "final result:"};
  static constexpr std::string_view kIs[] = {"answer is",
                                             "answer:",
                                             "answer =",
                                             "answer equals",
                                             "answer would be",
                                             "answer must be",
                                             "answer**:",
                                             "answer to the problem is",
                                             "answer to this problem is",
                                             "answer to the question is",
                                             "answer are",
                                             "answers are",
                                             "solution is",
                                             "solutions are",
                                             "answer comes out to be",
                                             "answer to be",
                                             "correct option is",
                                             "correct choice is",
                                             "答案是",
                                             "答案为",
                                             "答案："};
  static constexpr std::string_view kLabels[] = {
      "answer:", "answer -", "a:", "result:", "ans:", "ans.", "ans =", "<answer>", "solution:"};
  const auto last = [&](const auto& cues, bool line_start) -> std::string {
    std::size_t before = kNone;
    // At most a few candidates: a cue that no answer follows is passed over.
    for (int tries = 0; tries < 8; ++tries) {
      std::size_t best = kNone, length = 0;
      for (const std::string_view candidate : cues) {
        const std::size_t at = rfind_ignoring_case(text, candidate, before);
        if (at == kNone) continue;
        if (best == kNone || at + candidate.size() > best + length ||
            (at == best && candidate.size() > length)) {
          if (best == kNone || at >= best || candidate.size() > length) {
            best = at;
            length = candidate.size();
          }
        }
      }
      if (best == kNone) return {};
      before = best;
      if (line_start) {
        std::size_t begin = best;
        while (begin > 0 && (text[begin - 1] == ' ' || text[begin - 1] == '*' ||
                             text[begin - 1] == '#' || text[begin - 1] == '['))
          --begin;
        if (begin > 0 && text[begin - 1] != '\n') continue;
      } else if (best > 0 && is_letter(text[best - 1])) {
        continue;
      }
      std::string_view after = text.substr(best + length);
      if (const std::size_t tag = after.find("</answer>"); tag != kNone)
        after = after.substr(0, tag);
      if (retraction(after) != Retraction::kNone) continue;
      const bool no_colon = text.substr(best, length).ends_with('r');
      if (no_colon && after.starts_with(" - ")) after = after.substr(3);  // Final answer - 6
      std::string answer = answer_at(after);
      if (can_be_answer(answer)) return answer;
    }
    return {};
  };
  switch (cue) {
    case Cue::kFinalAnswer:
      return last(kFinal, false);
    case Cue::kAnswerIs:
      return last(kIs, false);
    case Cue::kLabel:
      return last(kLabels, true);
  }
  return {};
}

bool states_an_answer(std::string_view text) {
  return !find_boxes(text).empty() || text.find("####") != kNone ||
         find_ignoring_case(text, "answer is") != kNone ||
         find_ignoring_case(text, "answer:") != kNone;
}

std::optional<std::string> first_number_if_prose(const std::string& answer) {
  if (answer.find_first_of("0123456789") == std::string::npos) return std::nullopt;
  // "12 (since 3*4 = 12)", "18 dollars in all": the number that it begins with, unless a sum goes
  // on.
  std::size_t i = 0;
  while (i < answer.size() &&
         (answer[i] == '-' || answer[i] == '$' || answer[i] == '\\' || answer[i] == ' '))
    ++i;
  std::size_t end = i;
  while (end < answer.size() &&
         (is_digit(answer[end]) || ((answer[end] == ',' || answer[end] == '.') &&
                                    end + 1 < answer.size() && is_digit(answer[end + 1]))))
    ++end;
  if (end > i && end < answer.size() && answer[end] == ' ') {
    const std::size_t next = answer.find_first_not_of(' ', end);
    if (next != std::string::npos && (is_letter(answer[next]) || answer[next] == '('))
      return answer.substr(0, end);
  }
  if (!looks_like_prose(answer) && answer.size() < 60) return answer;
  const std::string number = last_number(answer);
  return number.empty() ? std::nullopt : std::optional<std::string>(number);
}

std::string_view last_line(std::string_view text) {
  text = trim_space(text);
  const std::size_t newline = text.rfind('\n');
  return newline == kNone ? text : text.substr(newline + 1);
}

std::string_view last_sentence(std::string_view text) {
  std::string_view line = last_line(text);
  if (const std::size_t end = line.rfind(". "); end != kNone) line = line.substr(end + 2);
  return line;
}

bool concludes(std::string_view text) {
  const std::string_view line = last_line(text);
  for (const std::string_view cue :
       {"therefore", "thus", "hence", "so ", "we get", "we have", "is equal to", "total",
        "conclude", "result", "=", "gives", "there are", "there is", "value"}) {
    if (find_ignoring_case(line, cue) != kNone) return true;
  }
  return line.size() < 40;
}

std::string last_bold(std::string_view text) {
  text = trim_space(text);
  const std::size_t close = text.rfind("**");
  if (close == kNone || close == 0) return {};
  const std::size_t open = text.rfind("**", close - 1);
  if (open == kNone || open + 2 > close) return {};
  if (text.size() - close > 80) return {};  // not at the end
  const std::string_view inside = trim_answer(text.substr(open + 2, close - open - 2));
  if (inside.find_first_of("0123456789") == kNone &&
      !(inside.starts_with("\\") || inside.starts_with("$")))
    return {};
  if (looks_like_prose(inside) || inside.ends_with(':')) return {};
  return std::string(inside);
}

std::string whole_text(std::string_view text) {
  text = trim_answer(text);
  if (text.empty() || text.size() > 200 || text.find('\n') != kNone || looks_like_prose(text))
    return {};
  int words = 0;
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] == ' ' && is_letter(text[i + 1])) ++words;
  }
  if (words > 1) return {};
  // "We get 3 + 4 = 7" is a sentence, "June 20" and "Evelyn" are answers.
  std::size_t first_word = 0;
  while (first_word < text.size() && is_letter(text[first_word])) ++first_word;
  if (first_word >= 2 && std::count(text.begin(), text.end(), ' ') > 1) return {};
  if (text.find('$') != kNone && text.find('$') > 0) return {};  // a formula within a sentence
  return std::string(text);
}

std::string last_math(std::string_view text) {
  const std::string_view line = last_line(text);
  if (!concludes(text)) return {};
  std::string_view body;
  if (const std::size_t close = line.rfind("\\)"); close != kNone) {
    const std::size_t open = line.rfind("\\(", close);
    if (open == kNone) return {};
    body = line.substr(open + 2, close - open - 2);
  } else if (const std::size_t dollar = line.rfind('$');
             dollar != kNone && dollar > 0 &&
             !is_digit(dollar + 1 < line.size() ? line[dollar + 1] : ' ')) {
    const std::size_t open = line.rfind('$', dollar - 1);
    if (open == kNone) return {};
    const bool display = line.ends_with("$$") && dollar == line.size() - 1;
    const std::size_t start = display ? line.rfind("$$", dollar - 2) : open;
    if (display && start == kNone) return {};
    body = display ? line.substr(start + 2, dollar - start - 3)
                   : line.substr(open + 1, dollar - open - 1);
    // "the value of $x$ is 6": the number behind the formula is meant.
    if (line.substr(dollar).find_first_of("0123456789") != kNone) return {};
  } else if (line.ends_with("\\]") || line.ends_with("\\].")) {
    const std::size_t open = rfind_fast(text, "\\[");
    if (open == kNone) return {};
    body = text.substr(open + 2, rfind_fast(text, "\\]") - open - 2);
  }
  return std::string(trim_answer(body));
}

std::string last_number(std::string_view text) {
  for (std::size_t end = text.size(); end > 0; --end) {
    if (!is_digit(text[end - 1])) continue;
    std::size_t begin = end;
    while (begin > 0) {
      const char c = text[begin - 1];
      if (is_digit(c) || (c == '.' && begin < end && is_digit(text[begin]))) {
        --begin;
      } else if (c == ',' && begin + 2 < end && is_digit(text[begin]) &&
                 is_digit(text[begin + 1]) && is_digit(text[begin + 2]) &&
                 (begin + 3 == end || !is_digit(text[begin + 3])) && begin >= 2 &&
                 is_digit(text[begin - 2])) {
        --begin;
      } else {
        break;
      }
    }
    while (begin < end && text[begin] == '.' && begin + 1 < end && !is_digit(text[begin + 1]))
      ++begin;
    // 3/4
    if (begin >= 2 && text[begin - 1] == '/' && is_digit(text[begin - 2])) {
      std::size_t top = begin - 1;
      while (top > 0 && is_digit(text[top - 1])) --top;
      begin = top;
    }
    std::size_t sign = begin;
    while (sign > 0 && (text[sign - 1] == '$' || text[sign - 1] == '\\')) --sign;
    if (sign > 0 && text[sign - 1] == '-' &&
        !(sign > 1 &&
          (is_digit(text[sign - 2]) || is_letter(text[sign - 2]) || text[sign - 2] == ' ') &&
          sign > 1 && text[sign - 2] != ' ')) {
      // "5 - 3" is a difference, "is -3" a number.
      const bool spaced_operator = sign < text.size() && text[sign] == ' ';
      if (!spaced_operator) return "-" + std::string(text.substr(begin, end - begin));
    }
    std::string number(text.substr(begin, end - begin));
    if (end < text.size() && text[end] == '%') number += '%';
    return number;
  }
  return {};
}

}  // namespace moebench