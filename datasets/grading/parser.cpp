#include "datasets/grading/parser.h"

#include "datasets/grading/parser_state.h"
#include "datasets/grading/phrases.h"

namespace moebench {
namespace parsing {

// answer := list; list := element (("," | ";" | "and" | "or") element)*
Id Parser::parse_list(bool inside_bracket) {
  Deeper deeper(*this);
  std::vector<Id> items;
  char joiner = 0;
  for (;;) {
    items.push_back(parse_relation());
    char next = 0;
    bool separated = false;
    while (true) {  // ", and" is one separator
      if (at_char(',') || at_char(';')) {
        if (separated && next != 'a' && next != 'o') fail("two commas");
        if (!next) next = ',';
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
  (void)inside_bracket;
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
  if (relation_here(relation) && relation == Relation::kEqual) advance();  // "= 5"
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
  if ((at_word("approximately") || at_word("about") || at_word("exactly")) && position_ == 0)
    advance();
  while (at_command("dollar") || at_currency_word()) {
    currency = true;
    advance();
  }
  // Words and then a value: "x equals 5" is prose, but "\text{Area} = 5" and "\text{Evelyn}" are
  // not.
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

/// Whether the current token can begin a unit: \text{...} or a word that stands apart and is either
/// long or a known abbreviation. A bare letter never is one.
bool Parser::unit_here() const {
  if (current().kind == TokenKind::kText) {
    return !at_text_starting("and") && !at_text_starting("to") && !at_text_starting("or") &&
           !at_text_starting("if") && !at_text_starting("for");
  }
  if (current().kind != TokenKind::kWord) return false;
  const std::string_view word = current().text;
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
