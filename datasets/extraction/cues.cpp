#include "datasets/extraction/cues.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace moebench {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() < lower.size()) return false;
  for (std::size_t i = 0; i < lower.size(); ++i) {
    if (to_lower(text[i]) != lower[i]) return false;
  }
  return true;
}

/// The last position of `lower` in the text, in any case; kNone if there is none.
std::size_t rfind_ignoring_case(std::string_view text, std::string_view lower,
                                std::size_t before = kNone) {
  if (text.size() < lower.size()) return kNone;
  std::size_t at = std::min(text.size() - lower.size() + 1, before);
  while (at > 0) {
    --at;
    if (to_lower(text[at]) == lower[0] && equals_ignoring_case(text.substr(at), lower)) return at;
  }
  return kNone;
}

std::size_t find_ignoring_case(std::string_view text, std::string_view lower,
                               std::size_t from = 0) {
  for (std::size_t at = from; at + lower.size() <= text.size(); ++at) {
    if (to_lower(text[at]) == lower[0] && equals_ignoring_case(text.substr(at), lower)) return at;
  }
  return kNone;
}

/// Behind the brace that closes the one at `open`; kNone if it stays open.
std::size_t closing_brace(std::string_view text, std::size_t open) {
  int depth = 0;
  for (std::size_t j = open; j < text.size(); ++j) {
    if (text[j] == '\\') {
      ++j;
    } else if (text[j] == '{') {
      ++depth;
    } else if (text[j] == '}' && --depth == 0) {
      return j + 1;
    }
  }
  return kNone;
}

std::string_view trim_space(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == kNone) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

}  // namespace

std::size_t rfind_fast(std::string_view text, std::string_view needle) {
  // string_view::rfind compares at every position; most texts hold few of the needle's first byte.
  std::size_t size = text.size();
  while (const void* at = memrchr(text.data(), needle[0], size)) {
    const std::size_t position =
        static_cast<std::size_t>(static_cast<const char*>(at) - text.data());
    if (text.substr(position).starts_with(needle)) return position;
    size = position;
  }
  return kNone;
}

bool after_thinking(std::string_view& output) {
  struct Tags {
    std::string_view open, close;
  };
  static constexpr Tags kTags[] = {{"<think>", "</think>"},
                                   {"<thinking>", "</thinking>"},
                                   {"<thought>", "</thought>"},
                                   {"<reasoning>", "</reasoning>"},
                                   {"<|begin_of_thought|>", "<|end_of_thought|>"},
                                   {"◁think▷", "◁/think▷"},
                                   {"[THINK]", "[/THINK]"}};
  for (const Tags& tags : kTags) {
    const std::size_t close = rfind_fast(output, tags.close);
    const std::size_t open = rfind_fast(output, tags.open);
    if (open != kNone && (close == kNone || close < open)) return false;
    if (close != kNone) output.remove_prefix(close + tags.close.size());
  }
  return true;
}

std::vector<Box> find_boxes(std::string_view text) {
  std::vector<Box> boxes;
  int unclosed = 0;
  for (std::size_t at = text.find('\\'); at != kNone; at = text.find('\\', at + 1)) {
    const std::string_view rest = text.substr(at);
    std::size_t i = 0;
    if (rest.starts_with("\\boxed"))
      i = 6;
    else if (rest.starts_with("\\fbox"))
      i = 5;
    else
      continue;
    if (i < rest.size() && is_letter(rest[i])) continue;
    while (i < rest.size() && (rest[i] == ' ' || rest[i] == '\n')) ++i;
    if (i >= rest.size()) break;
    if (rest[i] == '{') {
      const std::size_t end = closing_brace(rest, i);
      if (end == kNone) {            // cut off inside; one within it may still be whole
        if (++unclosed > 32) break;  // hostile: keep the search linear
        continue;
      }
      std::string_view content = trim_space(rest.substr(i + 1, end - i - 2));
      if (!content.empty()) {
        // \boxed{\text{The answer is } \boxed{5}}: the inner one.
        const std::vector<Box> inner = content.find("\\boxed") != kNone && content.size() < 2000
                                           ? find_boxes(content)
                                           : std::vector<Box>{};
        if (inner.size() == 1 && content.starts_with("\\boxed") && inner[0].end == content.size())
          content = inner[0].content;
        boxes.push_back({at, at + end, content});
      }
      at += end - 1;
    } else if (rest[5] == ' ' || rest[6] == ' ') {  // \boxed 5
      if (rest[i] != '$' && rest[i] != '\\') boxes.push_back({at, at + i + 1, rest.substr(i, 1)});
    }
  }
  return boxes;
}

BoxGroup last_group(std::string_view text, const std::vector<Box>& boxes) {
  BoxGroup group;
  std::size_t first = boxes.size() - 1;
  const auto joins = [](std::string_view between) {
    // Only joiners, spacing, delimiters, and a name with an equals sign: "and $x = ".
    if (between.size() > 60) return false;
    std::string words;
    std::string word;
    bool joined = false;
    for (std::size_t i = 0; i <= between.size(); ++i) {
      const char c = i < between.size() ? between[i] : ' ';
      if (is_letter(c)) {
        word += to_lower(c);
        continue;
      }
      if (!word.empty()) {
        const bool command = word == "text" || word == "quad" || word == "qquad" ||
                             word == "mbox" || word == "textbf" || word == "textrm";
        if (word == "and" || word == "or" || word == "also")
          joined = true;
        else if (!command && word.size() > 1)
          return false;
        word.clear();
      }
      if (c == ',' || c == ';' || c == '&')
        joined = true;
      else if (std::string_view(" \n\t$\\{}()[]=_~0123456789").find(c) == kNone)
        return false;
    }
    return joined;
  };
  constexpr std::size_t kMaxJoined = 64;
  while (first > 0 && boxes.size() - first < kMaxJoined &&
         joins(text.substr(boxes[first - 1].end, boxes[first].begin - boxes[first - 1].end)))
    --first;
  group.end = boxes.back().end;
  for (std::size_t i = first; i < boxes.size(); ++i) {
    bool repeated = false;
    for (std::size_t j = first; j < i; ++j)
      repeated = repeated || boxes[j].content == boxes[i].content;
    if (repeated) continue;
    if (!group.answer.empty()) group.answer += ", ";
    group.answer += boxes[i].content;
    group.parts.emplace_back(boxes[i].content);
  }
  return group;
}

bool is_retracted(std::string_view after) {
  after = after.substr(0, 4000);
  static constexpr std::string_view kPhrases[] = {"that is wrong",
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
                                                  "let me redo",
                                                  "let me recompute",
                                                  "let me recalculate",
                                                  "correction:",
                                                  "scratch that",
                                                  "is wrong",
                                                  "was wrong",
                                                  "i was wrong",
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
                                                  "actually, no",
                                                  "actually no",
                                                  "oops",
                                                  "on second thought",
                                                  "i misread",
                                                  "i miscalculated",
                                                  "this is a mistake"};
  for (const std::string_view phrase : kPhrases) {
    const std::size_t at = find_ignoring_case(after, phrase);
    if (at == kNone) continue;
    if (at > 0 && is_letter(after[at - 1])) continue;
    // "Checking whether this is wrong: it holds, so \boxed{5} is right" keeps the answer.
    const std::string_view rest = after.substr(at);
    static constexpr std::string_view kKept[] = {"is correct",  "is right",      "was right",
                                                 "was correct", "still holds",   "it holds",
                                                 "checks out",  "answer stands", "confirms"};
    for (const std::string_view kept : kKept) {
      const std::size_t kept_at = find_ignoring_case(rest, kept);
      if (kept_at != kNone && kept_at > 0) return false;
    }
    return true;
  }
  return false;
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

/// A formula at the start of the text, with others joined to it by "and", "or", commas; else what
/// runs to the end of the sentence, without an explanation.
std::string answer_at(std::string_view text) {
  std::size_t i = 0;
  const auto skip_space = [&] {
    while (i < text.size() && std::string_view(" \t\n:*=_`>").find(text[i]) != kNone) ++i;
  };
  skip_space();
  if (i >= text.size()) return {};
  text.remove_prefix(i);
  for (const std::string_view filler :
       {"therefore ", "thus ", "simply ", "just ", "clearly ", "then ", "hence ", "exactly ",
        "option ", "choice ", "actually ", "equal to ", "given by ", "indeed ", "also ", "now "}) {
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
       {" because", ", because",    ", since",    " since ", ", which",     " which ",
        ", as ",    ", so ",        " so that",   " (since", ", where",     " where ",
        " when ",   " as required", ", and this", ", not ",  " instead of", ", but ",
        " but ",    " (not ",       " per the ",  ", but",   " for the ",   ", I hope"}) {
    const std::size_t at_prose = find_ignoring_case(answer_text, prose);
    if (at_prose != kNone && at_prose > 0) answer_text = answer_text.substr(0, at_prose);
  }
  return std::string(trim_answer(answer_text));
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
      "answer:", "answer -", "a:", "result:", "ans:", "ans =", "<answer>", "solution:"};
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
      if (is_retracted(after)) continue;
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

bool looks_truncated(std::string_view text) {
  const std::size_t box = rfind_fast(text, "\\boxed");
  if (box != kNone) {
    const std::size_t open = text.find('{', box);
    if (open != kNone && closing_brace(text, open) == kNone) return true;
  }
  const std::size_t open = rfind_fast(text, "\\("), close = rfind_fast(text, "\\)");
  if (open != kNone && (close == kNone || close < open)) return true;
  const std::size_t display = rfind_fast(text, "\\["), display_close = rfind_fast(text, "\\]");
  return display != kNone && (display_close == kNone || display_close < display);
}

std::string_view last_line(std::string_view text) {
  text = trim_space(text);
  const std::size_t newline = text.rfind('\n');
  return newline == kNone ? text : text.substr(newline + 1);
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
    body = line.substr(open + 1, dollar - open - 1);
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
