#include <algorithm>
#include <cstring>

#include "datasets/extraction/cues.h"
#include "datasets/extraction/text_search.h"

namespace moebench {

using namespace text_search;

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
    else if (rest.starts_with("\\framebox"))
      i = 9;
    else
      continue;
    if (i < rest.size() && is_letter(rest[i])) continue;
    const bool spaced = i < rest.size() && rest[i] == ' ';
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
    } else if (spaced && rest[i] != '$' && rest[i] != '\\') {
      // \boxed 5: one character, as TeX reads it, but the whole of a number, as it is meant.
      std::size_t end = i + 1;
      const auto digit = [&](std::size_t k) { return k < rest.size() && is_digit(rest[k]); };
      if (digit(i))
        while (digit(end) || (rest.substr(end).starts_with('.') && digit(end + 1))) ++end;
      boxes.push_back({at, at + end, rest.substr(i, end - i)});
    }
  }
  return boxes;
}

/// "6, not \boxed{5}", "a common wrong answer is \boxed{5}": a box that is shown to be refused.
bool is_refused(std::string_view text, const Box& box) {
  std::string_view before = text.substr(0, box.begin);
  if (before.size() > 60) before = before.substr(before.size() - 60);
  for (const std::string_view end : {". ", "\n", "! ", "? ", "; ", ".\n"}) {
    if (const std::size_t at = before.rfind(end); at != kNone)
      before = before.substr(at + end.size());
  }
  const std::size_t last = before.find_last_not_of(" $\\({[:*");
  before = before.substr(0, last == kNone ? 0 : last + 1);
  for (const std::string_view ending : {"not", "instead of", "rather than"}) {
    if (before.size() >= ending.size() &&
        equals_ignoring_case(before.substr(before.size() - ending.size()), ending) &&
        (before.size() == ending.size() || !is_letter(before[before.size() - ending.size() - 1])))
      return true;
  }
  for (const std::string_view phrase : {"wrong answer", "incorrect answer", "wrong result",
                                        "incorrect result", "common mistake", "common error"}) {
    const std::size_t at = find_ignoring_case(before, phrase);
    // "Correcting the wrong answer, we get" is no refusal.
    if (at != kNone && before.size() - at < phrase.size() + 12) return true;
  }
  return false;
}

std::vector<Box> drop_refused(std::string_view text, std::vector<Box> boxes) {
  std::vector<Box> kept;
  for (const Box& box : boxes) {
    if (!is_refused(text, box)) kept.push_back(box);
  }
  return kept.empty() ? boxes : kept;
}

BoxGroup last_group(std::string_view text, const std::vector<Box>& boxes) {
  BoxGroup group;
  std::size_t first = boxes.size() - 1;
  const auto joins = [](std::string_view between) {
    // Only joiners, spacing, delimiters, and a name with an equals sign: "and $x = ".
    if (between.size() > 60) return false;
    std::string words;
    std::string word;
    bool joined = between.find("\\\\") != kNone;  // one a line
    if (const std::string_view bullet = trim_space(between); bullet == "-" || bullet == "*")
      return between.find('\n') != kNone;
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

}  // namespace moebench
