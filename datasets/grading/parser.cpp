#include "datasets/grading/parser.h"

#include "datasets/grading/parser_state.h"
#include "datasets/grading/phrases.h"

namespace moebench {
namespace parsing {
namespace {

/// "10 squared", "10 is wrong", "10 cm, not 12": no unit.
bool changes_the_value(std::string_view words) {
  for (const std::string_view start : {"squared", "cubed", "factorial"}) {
    if (words.starts_with(start)) return true;
  }
  const std::string padded = " " + std::string(words) + " ";
  for (const std::string_view word : {" is ", " not ", " isn't ", " wrong ", " incorrect ",
                                      " except ", " plus ", " minus ", " times more "}) {
    if (padded.find(word) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

// answer := list; list := element (("," | ";" | "and" | "or") element)*
Id Parser::parse_list(bool inside_bracket) {
  Deeper deeper(*this);
  std::vector<Id> items;
  char joiner = 0;
  for (;;) {
    items.push_back(parse_relation());
    char next = 0;
    bool separated = false;
    if (at_char('.') && peek(1).kind != TokenKind::kEnd && peek(1).text == ",") advance();
    while (true) {  // ", and" is one separator
      if (at_char(',') || at_char(';')) {
        if (separated && next != 'a' && next != 'o') fail("two commas");
        if (!next) next = ',';
        separated = true;
        advance();
      } else if (at_char('\\') && peek(1).kind != TokenKind::kEnd && !inside_bracket) {
        if (!next) next = ',';  // one answer a line
        separated = true;
        advance();
      } else if (at_char('&') && !inside_bracket) {
        next = 'a';
        separated = true;
        advance();
      } else if (at_word("and") || at_text_starting("and") || at_command("wedge")) {
        next = 'a';
        separated = true;
        skip_joiner("and");
      } else if (at_word("or") || at_text_starting("or") || at_command("vee")) {
        next = 'o';
        separated = true;
        skip_joiner("or");
      } else {
        break;
      }
    }
    if (!separated) break;
    if (at_end() && next == ',') break;  // a trailing comma
    if (!joiner || next != ',') joiner = next;
    if (items.size() > 1000) fail_budget("more than 1000 elements");
  }
  if (items.size() == 1) return items[0];
  Node list;
  list.kind = NodeKind::kList;
  list.joiner = joiner;
  list.children = std::move(items);
  return add(std::move(list));
}

bool Parser::relation_here(Relation& relation) const {
  if (at_char('='))
    relation = Relation::kEqual;
  else if (at_char('<'))
    relation = Relation::kLess;
  else if (at_char('>'))
    relation = Relation::kGreater;
  else if (at_command("le"))
    relation = Relation::kLessEqual;
  else if (at_command("ge"))
    relation = Relation::kGreaterEqual;
  else if (at_command("ne"))
    relation = Relation::kNotEqual;
  else if (at_command("in"))
    relation = Relation::kElementOf;
  else if (at_command("approx") || at_command("equiv"))
    relation = Relation::kApproximately;
  else
    return false;
  return true;
}

Id Parser::parse_relation() {
  Deeper deeper(*this);
  Relation relation{};
  std::vector<Id> sides;
  std::vector<Relation> relations;
  if (relation_here(relation) &&
      (relation == Relation::kEqual || relation == Relation::kApproximately))
    advance();  // "= 5"
  sides.push_back(parse_union());
  while (relation_here(relation)) {
    advance();
    relations.push_back(relation);
    sides.push_back(parse_union());
    if (sides.size() > 20) fail_budget("more than 20 relations");
  }
  if (relations.empty()) return sides[0];
  Node node;
  node.kind = NodeKind::kRelation;
  node.children = std::move(sides);
  node.relations = std::move(relations);
  return add(std::move(node));
}

Id Parser::parse_union() {
  Deeper deeper(*this);
  Id left = parse_quantity();
  while (true) {
    NodeKind kind{};
    if (at_command("cup") || at_word("U") || at_word("union"))
      kind = NodeKind::kUnion;
    else if (at_command("cap"))
      kind = NodeKind::kIntersection;
    else if (at_command("setminus"))
      kind = NodeKind::kDifference;
    else
      return left;
    if (at_word("U") && !is_set_like(left)) return left;
    advance();
    const Id right = parse_quantity();
    if (kind == NodeKind::kUnion && at(left).kind == NodeKind::kUnion) {
      at(left).children.push_back(right);
    } else {
      left = add(kind, {left, right});
    }
  }
}

/// A sum with what may stand around it: currency before, a unit, percent or "degrees" behind, a
/// ratio's colons.
Id Parser::parse_quantity() {
  Deeper deeper(*this);
  bool currency = false;
  const bool minus_before =
      at_char('-') && peek(1).kind == TokenKind::kCommand && peek(1).text == "dollar";
  if (minus_before) advance();
  if ((at_word("approximately") || at_word("about") || at_word("exactly") || at_word("both") ||
       at_word("either")) &&
      position_ == 0)
    advance();
  skip_label_words();
  if (const std::size_t words = all_reals_except_here(); words > 0) {
    position_ += words;
    Id taken = parse_list(true);
    if (at(taken).kind == NodeKind::kList)
      at(taken).kind = NodeKind::kSet;
    else if (at(taken).kind != NodeKind::kSet)
      taken = add(NodeKind::kSet, {taken});
    const Id reals = add(NodeKind::kAllReals, {});
    return add(NodeKind::kDifference, {reals, taken});
  }
  while (at_command("dollar") || at_currency_word()) {
    currency = true;
    advance();
    if (at_char('.')) advance();  // Rs. 120
  }
  // "\text{Area} = 5" names its value.
  if (current().kind == TokenKind::kText) {
    const std::string_view content = current().text;
    if (peek(1).kind == TokenKind::kChar && peek(1).text == "=") {
      Node label;
      label.kind = NodeKind::kText;
      label.text = std::string(content);
      advance();
      return add(std::move(label));
    }
  }
  Id value = parse_sum();
  if (minus_before) value = add(NodeKind::kNegate, {value});
  if (at_command("dollar")) {  // 10 \$
    currency = true;
    advance();
  }
  const auto ratio_sign = [&] {
    return at_char(':') ||
           ((at_word("to") || (current().kind == TokenKind::kText && current().text == "to")) &&
            is_value(value));
  };
  if (ratio_sign()) {
    std::vector<Id> parts{value};
    while (ratio_sign()) {
      advance();
      parts.push_back(parse_sum());
    }
    Node ratio;
    ratio.kind = NodeKind::kRatio;
    ratio.children = std::move(parts);
    value = add(std::move(ratio));
  }
  for (const auto& [word, scale] : {std::pair<std::string_view, long>{"hundred", 100},
                                    {"thousand", 1000},
                                    {"million", 1000000},
                                    {"billion", 1000000000},
                                    {"trillion", 1000000000000},
                                    {"dozen", 12}}) {
    if (at_word(word) || (current().kind == TokenKind::kText && current().text == word)) {
      advance();
      value = add(NodeKind::kMultiply, {value, number(scale)});
    } else if (at_text_starting(word)) {
      fail("a number in words");
    }
  }
  if (modulus_here()) return parse_modulus(value);
  std::string unit = parse_unit();
  if (unit.empty() && !currency) return value;
  if (const UnitClass unit_class = classify_unit(unit); unit_class == UnitClass::kPercent) {
    return add(NodeKind::kPercent, {value});
  } else if (unit_class == UnitClass::kDegree) {
    return add(NodeKind::kDegree, {value});
  }
  Node quantity;
  quantity.kind = NodeKind::kQuantity;
  quantity.text = currency && unit.empty() ? "dollars" : unit;
  quantity.children = {value};
  return add(std::move(quantity));
}

/// "The answer is 5", "Answer: 5", "\text{Total: } 5": what is said before the value.
void Parser::skip_label_words() {
  const auto ends_as_label = [](std::string_view words) {
    return words.ends_with(':') || words == "is" || words.ends_with(" is") ||
           words.ends_with(" are") || words.ends_with(" equals");
  };
  if (current().kind == TokenKind::kText && ends_as_label(current().text) &&
      peek(1).kind != TokenKind::kEnd) {
    advance();
    return;
  }
  if (position_ != 0 || current().kind != TokenKind::kWord) return;
  const std::string_view first = current().text;
  std::size_t words = 0;
  while (words < 8 &&
         (peek(words).kind == TokenKind::kWord || peek(words).kind == TokenKind::kText)) {
    const std::string_view word = peek(words).text;
    if (words > 0 && ends_as_label(word)) {
      position_ += words + 1;
      return;
    }
    ++words;
  }
  // A colon behind capitals or a letter is a ratio's: AB : CD.
  const bool colon = peek(words).kind == TokenKind::kChar && peek(words).text == ":";
  const bool prose = first.size() >= 3 && !is_math_word(first) &&
                     first.find_first_of("abcdefghijklmnopqrstuvwxyz") != first.npos;
  if (words > 0 && colon && prose) position_ += words + 1;
}

/// "all real numbers except 2": how many tokens say so.
std::size_t Parser::all_reals_except_here() const {
  std::string said;
  for (std::size_t words = 0; words < 6; ++words) {
    const Token& token = peek(words);
    if (token.kind != TokenKind::kWord && token.kind != TokenKind::kText) return 0;
    said += (said.empty() ? "" : " ") + std::string(token.text);
    if (said == "all real numbers except" || said == "all reals except" ||
        said == "all real x except" || said == "All real numbers except" ||
        said == "all real numbers except for")
      return words + 1 + (peek(words + 1).text == "for" ? 1 : 0);
    if (said.size() > 40) return 0;
  }
  return 0;
}

/// \pmod{7}, \bmod 7, mod 7, (mod 7)
bool Parser::modulus_here() const {
  const auto is_mod = [](const Token& token) {
    return (token.kind == TokenKind::kCommand &&
            (token.text == "pmod" || token.text == "bmod" || token.text == "mod")) ||
           ((token.kind == TokenKind::kWord || token.kind == TokenKind::kText) &&
            token.text == "mod");
  };
  return is_mod(current()) || (at_char('(') && is_mod(peek(1)));
}

/// The residue, with its modulus as a unit.
Id Parser::parse_modulus(Id residue) {
  const bool bracket = at_char('(');
  if (bracket) advance();
  advance();
  const Id modulus = parse_sum();
  if (bracket) expect_char(')');
  Node quantity;
  quantity.kind = NodeKind::kQuantity;
  quantity.text = "mod " + to_string(tree_, modulus);
  quantity.children = {residue};
  return add(std::move(quantity));
}

/// (ways), (in cm): words in brackets behind a value, and nothing else in them.
bool Parser::bracketed_words_here() const {
  if (!at_char('(')) return false;
  std::size_t ahead = 1;
  bool words = false;
  while (ahead < 8) {
    const Token& token = peek(ahead);
    if (token.kind == TokenKind::kText) {
      words = true;
    } else if (token.kind == TokenKind::kWord) {
      words = words || (token.text.size() >= 4 && !is_math_word(token.text));
    } else {
      return words && token.kind == TokenKind::kChar && token.text == ")";
    }
    ++ahead;
  }
  return false;
}

/// Whether the current token can begin a unit: \text{...} or a word that stands apart and is either
/// long or a known abbreviation. A bare letter never is one.
bool Parser::unit_here() const {
  if (bracketed_words_here()) return true;
  if (at_char('/')) {  // $18/hour
    return peek(1).kind == TokenKind::kText ||
           (peek(1).kind == TokenKind::kWord && peek(1).text.size() >= 3 &&
            !is_math_word(peek(1).text));
  }
  if (current().kind == TokenKind::kText) {
    return !at_text_starting("and") && !at_text_starting("to") && !at_text_starting("or") &&
           !at_text_starting("if") && !at_text_starting("for");
  }
  if (current().kind != TokenKind::kWord) return false;
  const std::string_view word = current().text;
  if (word == "min") return current().space_before && peek(1).kind == TokenKind::kEnd;
  if (word == "per" || word == "of") {  // per cent, 60 % of the students
    return current().space_before && peek(1).kind == TokenKind::kWord && peek(1).text.size() > 1;
  }
  if (at_word("and") || at_word("or") || at_word("to") || at_word("U") || at_word("union") ||
      is_math_word(word))
    return false;
  if (!current().space_before)
    return word.size() >= 2 && is_known_unit(word) && previous_is_number();
  return word.size() >= 4 || is_known_unit(word);
}

std::string Parser::parse_unit() {
  std::string unit;
  if (!unit_here()) return unit;
  const bool bracket = at_char('(');
  if (bracket) advance();
  while (true) {
    if (current().kind == TokenKind::kText || current().kind == TokenKind::kWord) {
      if (at_word("and") || at_word("or") || at_text_starting("and") || at_text_starting("or"))
        break;
      if (!unit.empty()) unit += ' ';
      unit += current().text;
      advance();
    } else if (at_char('^') && !unit.empty()) {  // cm^2
      advance();
      const bool brace = at_char('{');
      if (brace) advance();
      if (at_char('-')) advance();
      if (current().kind != TokenKind::kNumber) fail("a unit's exponent");
      unit += '^';
      unit += current().text;
      advance();
      if (brace) expect_char('}');
    } else if (at_char('/') &&
               (peek(1).kind == TokenKind::kWord || peek(1).kind == TokenKind::kText)) {
      unit += '/';
      advance();
    } else if (at_char('*') && peek(1).kind == TokenKind::kText) {
      unit += '*';
      advance();
    } else if (at_char('.') || (at_char('\'') && !unit.empty()) ||
               (at_char('-') && peek(1).kind == TokenKind::kWord && !current().space_before)) {
      advance();
    } else {
      break;
    }
    if (unit.size() > 200) fail("prose behind the value");
  }
  if (bracket) {
    expect_char(')');
    if (unit_here()) unit += " " + parse_unit();  // 5 (five) apples
  }
  if (changes_the_value(unit)) fail("words that change the value");
  return unit;
}

}  // namespace parsing

Expected<Parsed, ParseFailure> parse_answer(std::string_view answer, bool commas_separate) {
  Parsed parsed;
  TokenStream stream = tokenise(answer, commas_separate);
  if (stream.too_long) {
    return Unexpected<ParseFailure>(
        {true, "longer than " + std::to_string(kMaxAnswerBytes) + " bytes"});
  }
  parsed.ambiguous_commas = stream.ambiguous_commas;
  if (parse_phrase(answer, parsed.tree)) return parsed;
  parsing::Parser parser(stream, parsed.tree);
  try {
    parser.parse_all();
  } catch (const ParseFailure& failure) {
    return Unexpected<ParseFailure>(failure);
  }
  return parsed;
}

}  // namespace moebench
