#include "datasets/grading/equivalence.h"

#include <algorithm>

#include "datasets/grading/compare.h"
#include "datasets/grading/parser.h"
#include "datasets/grading/phrases.h"
#include "datasets/grading/tokens.h"

namespace moebench {
namespace {

constexpr long kWorkUnits = 400000;  // about 20 ms

/// The answer without spaces, dollar signs and \left, \right: enough for most right answers.
std::string canonical(std::string_view answer) {
  std::string out;
  out.reserve(answer.size());
  for (std::size_t i = 0; i < answer.size(); ++i) {
    const char c = answer[i];
    if (c == ' ' || c == '$' || c == '\n' || c == '\t') {
      // "1 1/2" is not "11/2", and \pi r not \pir.
      if (c == ' ' && !out.empty() && i + 1 < answer.size()) {
        const auto word = [](char x) {
          return (x >= '0' && x <= '9') || (x >= 'a' && x <= 'z') || (x >= 'A' && x <= 'Z');
        };
        if (word(out.back()) && word(answer[i + 1])) out += ' ';
      }
      continue;
    }
    if (c == '\\') {
      const std::string_view rest = answer.substr(i);
      if (rest.starts_with("\\left") && !rest.starts_with("\\leftarrow")) {
        i += 4;
        continue;
      }
      if (rest.starts_with("\\right") && !rest.starts_with("\\rightarrow")) {
        i += 5;
        continue;
      }
      if (rest.starts_with("\\dfrac") || rest.starts_with("\\tfrac")) {
        out += "\\frac";
        i += 5;
        continue;
      }
      if (rest.starts_with("\\!")) {
        i += 1;
        continue;
      }
    }
    out += c;
  }
  while (out.ends_with('.')) out.pop_back();
  return out;
}

/// Choice letters that come with a value: \textbf{(C) } 12, (C) 12. Empty if there is none.
std::string choice_letter(std::string_view answer, std::string_view& rest) {
  std::size_t i = 0;
  const auto skip = [&](std::string_view what) {
    if (!answer.substr(i).starts_with(what)) return false;
    i += what.size();
    return true;
  };
  while (skip(" ") || skip("$")) {
  }
  for (const std::string_view word : {"Option ", "option ", "Choice ", "choice ", "\\text{Option ",
                                      "\\text{option ", "\\text{Choice ", "\\text{choice "}) {
    if (skip(word)) {
      std::string_view letter = answer.substr(i);
      letter = letter.substr(0, letter.find_last_not_of(" .}") + 1);
      if (letter.size() == 3 && letter[0] == '(' && letter[2] == ')') letter = letter.substr(1, 1);
      rest = {};
      return letter.size() == 1 && letter[0] >= 'A' && letter[0] <= 'J' ? std::string(letter)
                                                                        : std::string();
    }
  }
  bool braces = false;
  for (const std::string_view command :
       {"\\textbf{", "\\text{", "\\mathrm{", "\\mathbf{", "\\textrm{", "\\mbox{"}) {
    if (skip(command)) {
      braces = true;
      break;
    }
  }
  skip("**");
  while (skip(" ") || skip("\\")) {
  }
  const bool bracket = skip("(");
  const bool inner_text = bracket && (skip("\\text{") || skip("\\mathrm{"));
  if (i >= answer.size() || answer[i] < 'A' || answer[i] > 'J') return {};
  const std::string letter(1, answer[i++]);
  if (inner_text && !skip("}")) return {};
  if (bracket ? !skip(")")
              : !(braces && i < answer.size() &&
                  (answer[i] == ')' || answer[i] == '.' || answer[i] == ':'))) {
    if (bracket || !(skip(")") || skip(".") || skip(":"))) return {};
  } else if (!bracket) {
    ++i;
  }
  bool space = false;
  while (true) {
    if (skip(" ") || skip("\\ ") || skip("~") || skip("\\quad") || skip("$") || skip("\\,") ||
        skip("\\:") || skip("\\;")) {
      space = true;
    } else if (braces && skip("}")) {
      braces = false;
      space = true;
    } else if (skip("**")) {
      space = true;
    } else {
      break;
    }
  }
  rest = answer.substr(i);
  if (braces) {  // \text{(C) 12}
    if (!rest.ends_with("}")) return {};
    rest.remove_suffix(1);
  }
  // (A), (B) and "(A) or (B)" are two choices.
  for (const std::string_view joiner : {",", ";", "&", "\\&", "and ", "or ", "\\text{and",
                                        "\\text{ and", "\\text{or", "\\text{ or", "/"}) {
    if (rest.starts_with(joiner)) return {};
  }
  if (rest.find_first_not_of(" .$") == std::string_view::npos) {
    rest = {};
    return letter;
  }
  if (!space || rest[0] == '(' || rest[0] == '+' || rest[0] == '-' || rest[0] == '=' ||
      rest[0] == '^' || rest[0] == '/') {
    if (!(space && rest[0] == '-')) return {};
  }
  return letter;
}

/// Without the spaces at its end, as blanks or as commands.
std::string_view trim_end(std::string_view answer) {
  while (true) {
    const std::size_t size = answer.size();
    for (const std::string_view space : {" ", "~", "\\,", "\\;", "\\:", "\\!"}) {
      if (!answer.ends_with(space)) continue;
      const std::string_view before = answer.substr(0, answer.size() - space.size());
      if (before.ends_with('\\')) continue;  // a line's end, or a blank that is a command
      answer = before;
      break;
    }
    if (answer.size() == size) return answer;
  }
}

Expected<Parsed, ParseFailure> read(std::string_view answer, bool commas_separate) {
  answer = trim_end(answer);
  // Bold and italics in Markdown.
  for (const std::string_view mark : {"**", "__", "*", "_"}) {
    while (answer.size() > 2 * mark.size() && answer.starts_with(mark) && answer.ends_with(mark))
      answer = answer.substr(mark.size(), answer.size() - 2 * mark.size());
  }
  std::string_view rest;
  const std::string letter = choice_letter(answer, rest);
  if (letter.empty()) {
    auto parsed = parse_answer(answer, commas_separate);
    if (!parsed) return parsed;
    // \text{The answer is 6}: a statement in text.
    const Node& root = parsed->tree.at(parsed->tree.root);
    if (root.kind != NodeKind::kText || root.text.find_first_of("0123456789") == root.text.npos)
      return parsed;
    auto statement = parse_answer(root.text, commas_separate);
    return statement ? statement : parsed;
  }
  Parsed parsed;
  std::int32_t value = -1;
  if (!rest.empty()) {
    auto inner = parse_answer(rest, commas_separate);
    if (inner) {
      parsed = std::move(*inner);
      value = parsed.tree.root;
    }
  }
  Node choice;
  choice.kind = NodeKind::kChoice;
  choice.text = letter;
  if (value >= 0) choice.children = {value};
  parsed.tree.nodes.push_back(std::move(choice));
  parsed.tree.root = static_cast<std::int32_t>(parsed.tree.nodes.size() - 1);
  return parsed;
}

/// Words, or lists of letters and words in any order: "C, E" and "E and C". Only for text: where
/// mathematics is left (\frac, ^, =), dropping the braces would change what it says.
bool same_text(std::string_view gold, std::string_view answer) {
  const std::string g = plain_words(gold), a = plain_words(answer);
  if (g.empty() || a.empty()) return false;
  const auto is_words = [](const std::string& text) {
    return text.find_first_of("\\^_=<>+*/|[]") == std::string::npos &&
           text.find_first_of("abcdefghijklmnopqrstuvwxyz") != std::string::npos;
  };
  if (!is_words(g) || !is_words(a)) {
    // Not words, and unreadable as mathematics on both sides: only the very same characters count.
    return canonical(gold) == canonical(answer);
  }
  if (g == a) return true;
  const std::vector<std::string> gold_parts = text_parts(gold);
  // (A), (B) lose their brackets; what keeps some is a point or the like, whose order counts.
  const bool only_words =
      std::all_of(gold_parts.begin(), gold_parts.end(), [](const std::string& part) {
        return part.find_first_of("0123456789()") == std::string::npos;
      });
  return gold_parts.size() > 1 && only_words && gold_parts == text_parts(answer);
}

/// Whether words are (part of) what was read, so that they may be compared as words.
bool has_text(const Tree& tree) {
  return std::any_of(tree.nodes.begin(), tree.nodes.end(),
                     [](const Node& node) { return node.kind == NodeKind::kText; });
}

/// An unreduced fraction of whole numbers anywhere.
bool has_unreduced_fraction(const Tree& tree) {
  for (const Node& node : tree.nodes) {
    if (node.kind != NodeKind::kDivide) continue;
    const Node& top = tree.at(node.children[0]);
    const Node& bottom = tree.at(node.children[1]);
    if (top.kind != NodeKind::kNumber || bottom.kind != NodeKind::kNumber ||
        !top.value.is_integer() || !bottom.value.is_integer())
      continue;
    Rational gcd;
    fmpz_gcd(fmpq_numref(gcd.get()), top.value.numerator(), bottom.value.numerator());
    if (!(gcd == Rational(1)) || bottom.value == Rational(1)) return true;
  }
  return false;
}

Reference root_of(const Parsed& parsed) {
  Reference reference;
  reference.tree = &parsed.tree;
  reference.id = parsed.tree.root;
  return reference;
}

}  // namespace

Equivalence compare_answers(std::string_view gold, std::string_view answer,
                            const EquivalenceOptions& options) {
  Equivalence result;
  if (gold.size() > kMaxAnswerBytes || answer.size() > kMaxAnswerBytes) {
    result.equal = gold == answer && !gold.empty();
    result.reason = result.equal ? GradeReason::kIdenticalText : GradeReason::kBudget;
    result.detail = "longer than " + std::to_string(kMaxAnswerBytes) + " bytes";
    return result;
  }
  const std::string gold_text = canonical(gold), answer_text = canonical(answer);
  if (!options.require_simplest_form && !gold_text.empty() && gold_text == answer_text) {
    result.equal = true;
    result.reason = GradeReason::kIdenticalText;
    return result;
  }
  // Two whole numbers as they stand: nothing else to read.
  const auto plain_integer = [](const std::string& text) {
    const std::size_t sign = text.starts_with('-') ? 1 : 0;
    return text.size() > sign && text.size() < 18 && text[sign] != '0' &&
           text.find_first_not_of("0123456789", sign) == std::string::npos;
  };
  if (plain_integer(gold_text) && plain_integer(answer_text)) {
    result.reason = GradeReason::kInteger;  // the texts differ
    return result;
  }
  const auto gold_read = read(gold, false);
  const auto answer_read = read(answer, false);
  if (!gold_read || !answer_read) {
    result.equal = same_text(gold, answer);
    result.reason = GradeReason::kText;
    const bool over = (!gold_read && gold_read.error().over_budget) ||
                      (!answer_read && answer_read.error().over_budget);
    if (!result.equal && over) {
      result.reason = GradeReason::kBudget;
    } else if (!result.equal && gold_read &&
               gold_read->tree.at(gold_read->tree.root).kind != NodeKind::kText) {
      result.reason = GradeReason::kUnreadable;
    }
    if (!answer_read)
      result.detail = "answer: " + answer_read.error().what;
    else
      result.detail = "gold: " + gold_read.error().what;
    return result;
  }
  Work work(kWorkUnits);
  Comparer comparer(options, work);
  try {
    Outcome outcome = comparer.compare(root_of(*gold_read), root_of(*answer_read));
    if (!outcome.yes() && (gold_read->ambiguous_commas || answer_read->ambiguous_commas)) {
      // 15,600 may be two numbers.
      const auto gold_apart = read(gold, gold_read->ambiguous_commas);
      const auto answer_apart = read(answer, answer_read->ambiguous_commas);
      if (gold_apart && answer_apart) {
        const Outcome apart = comparer.compare(root_of(*gold_apart), root_of(*answer_apart));
        if (apart.yes()) outcome = apart;
      }
    }
    if (!outcome.yes() && (has_text(gold_read->tree) || has_text(answer_read->tree)) &&
        same_text(gold, answer)) {
      outcome = {Same::kYes, GradeReason::kText};
    }
    // Whatever it is, written the same it says the same.
    if (!outcome.yes() && same_tree(root_of(*gold_read), root_of(*answer_read)))
      outcome = {Same::kYes, GradeReason::kSymbolic};
    result.equal = outcome.yes();
    result.reason = outcome.reason;
    if (result.equal && options.require_simplest_form &&
        has_unreduced_fraction(answer_read->tree)) {
      result.equal = false;
      result.reason = GradeReason::kNotSimplified;
    }
  } catch (const Work::Exceeded&) {
    result.equal = false;
    result.reason = GradeReason::kBudget;
    result.detail = "too much work to compare";
  }
  return result;
}

Equivalence compare_numbers(std::string_view gold, std::string_view answer) {
  EquivalenceOptions options;
  options.percent_expected = true;
  return compare_answers(gold, answer, options);
}

std::string explain_parse(std::string_view answer) {
  const auto parsed = read(answer, false);
  if (!parsed)
    return (parsed.error().over_budget ? "over budget: " : "not mathematics: ") +
           parsed.error().what;
  return to_string(parsed->tree, parsed->tree.root);
}

std::string_view to_string(GradeReason reason) {
  switch (reason) {
    case GradeReason::kIdenticalText:
      return "identical-text";
    case GradeReason::kInteger:
      return "integer";
    case GradeReason::kRational:
      return "rational";
    case GradeReason::kDecimalPrecision:
      return "decimal-precision";
    case GradeReason::kSymbolic:
      return "symbolic";
    case GradeReason::kModular:
      return "modular";
    case GradeReason::kNumericBall:
      return "numeric-ball";
    case GradeReason::kRandomPoints:
      return "random-points";
    case GradeReason::kStructure:
      return "structure";
    case GradeReason::kElements:
      return "elements";
    case GradeReason::kText:
      return "text";
    case GradeReason::kNoAnswer:
      return "no-answer";
    case GradeReason::kUnreadable:
      return "unreadable";
    case GradeReason::kTruncatedOutput:
      return "truncated-output";
    case GradeReason::kBudget:
      return "budget";
    case GradeReason::kNotSimplified:
      return "not-simplified";
    case GradeReason::kEngineFailure:
      return "engine-failure";
  }
  return "unreadable";
}

}  // namespace moebench
