#include <algorithm>

#include "datasets/grading/parser_state.h"

namespace moebench::parsing {

Id Parser::parse_group(char open) {
  Deeper deeper(*this);
  advance();
  // (A|B): an event under a condition, part of a name.
  if (current().kind == TokenKind::kWord && (peek(1).text == "|" || peek(1).text == "mid") &&
      peek(2).kind == TokenKind::kWord && peek(3).kind == TokenKind::kChar && peek(3).text == ")") {
    std::string name = std::string(current().text) + "|" + std::string(peek(2).text);
    for (int i = 0; i < 4; ++i) advance();
    return symbol(std::move(name));
  }
  const int outer_bars = std::exchange(bars_open_, 0);
  const Id inside = parse_list(true);
  bars_open_ = outer_bars;
  char close = 0;
  if (at_char(')'))
    close = ')';
  else if (at_char(']'))
    close = ']';
  else if (at_char('['))
    close = ')';  // [a,b[
  else
    fail("a closing bracket");
  advance();
  const char opening = open == ']' ? '(' : open;
  if (at(inside).kind != NodeKind::kList || at(inside).joiner != ',') {
    if (open == ']' || (open == '(') != (close == ')')) fail("a bracket of another kind");
    return inside;
  }
  at(inside).kind = NodeKind::kBracket;
  at(inside).open = opening;
  at(inside).close = close;
  return inside;
}

Id Parser::parse_angle_tuple() {
  Deeper deeper(*this);
  const bool plain = at_char('<');
  advance();
  Node node;
  node.kind = NodeKind::kBracket;
  node.open = '(';
  node.close = ')';
  node.children.push_back(parse_sum());
  while (at_char(',')) {
    advance();
    node.children.push_back(parse_sum());
  }
  if (plain ? !at_char('>') : !at_command("rangle")) fail("a closing bracket");
  advance();
  return add(std::move(node));
}

/// \{1, 2\}, \{x \mid x > 3\}
Id Parser::parse_set() {
  Deeper deeper(*this);
  advance();
  if (at_command("rbrace")) {
    advance();
    return add(NodeKind::kNoSolution, {});
  }
  const auto bar = [&](std::size_t ahead) {
    const Token& token = peek(ahead);
    return (token.kind == TokenKind::kChar && (token.text == "|" || token.text == ":")) ||
           (token.kind == TokenKind::kCommand && token.text == "mid");
  };
  std::size_t skip = 0;
  if (current().kind == TokenKind::kWord && bar(1)) skip = 2;
  if (current().kind == TokenKind::kWord && peek(1).text == "in" && peek(2).text == "reals" &&
      bar(3))
    skip = 4;
  if (skip > 0) {
    for (std::size_t i = 0; i < skip; ++i) advance();
    const Id condition = parse_list(true);
    if (!at_command("rbrace")) fail("a closing brace");
    advance();
    return condition;
  }
  Id inside = parse_list(true);
  if (!at_command("rbrace")) fail("a closing brace");
  advance();
  if (at(inside).kind == NodeKind::kList) {
    at(inside).kind = NodeKind::kSet;
    return inside;
  }
  return add(NodeKind::kSet, {inside});
}

Id Parser::parse_absolute() {
  Deeper deeper(*this);
  advance();
  ++bars_open_;
  const Id inside = parse_sum();
  --bars_open_;
  expect_char('|');
  Node node;
  node.kind = NodeKind::kFunction;
  node.function = Function::kAbs;
  node.children = {inside};
  return add(std::move(node));
}

/// \begin{cases} x = 1 \\ y = 2 \end{cases}: a list, one element a line; & only aligns.
Id Parser::parse_lines(const std::string& environment) {
  Node list;
  list.kind = NodeKind::kList;
  list.joiner = ',';
  const bool outer = std::exchange(in_lines_, true);
  if (at_char('&')) advance();
  while (!at_command("end")) {
    list.children.push_back(parse_relation());
    while (at_char(',') || at_char(';') || at_char('.')) advance();
    if (!at_char('\\')) break;
    advance();
  }
  in_lines_ = outer;
  if (!at_command("end")) fail("the end of the lines");
  advance();
  expect_char('{');
  if (current().text != environment) fail("the end of the lines");
  advance();
  expect_char('}');
  if (list.children.empty()) fail("no lines");
  return list.children.size() == 1 ? list.children[0] : add(std::move(list));
}

Id Parser::parse_matrix() {
  Deeper deeper(*this);
  advance();
  expect_char('{');
  const std::string environment(current().text);
  advance();
  expect_char('}');
  static constexpr std::string_view kLines[] = {"aligned", "align", "cases", "gathered", "split"};
  if (std::find(std::begin(kLines), std::end(kLines), environment) != std::end(kLines))
    return parse_lines(environment);
  const bool outer = std::exchange(in_lines_, false);
  static constexpr std::string_view kKnown[] = {"pmatrix",      "bmatrix",     "matrix",
                                                "smallmatrix",  "array",       "Bmatrix",
                                                "psmallmatrix", "bsmallmatrix"};
  if (std::find(std::begin(kKnown), std::end(kKnown), environment) == std::end(kKnown)) {
    fail("an environment that is no matrix");
  }
  if (environment == "array" && at_char('{')) {  // the columns' alignment
    while (!at_end() && !at_char('}')) advance();
    expect_char('}');
  }
  Node node;
  node.kind = NodeKind::kMatrix;
  std::size_t columns = 0;
  while (true) {
    std::size_t row = 0;
    while (true) {
      node.children.push_back(parse_sum());
      ++row;
      if (!at_char('&')) break;
      advance();
    }
    if (columns != 0 && row != columns) fail("rows of different length");
    columns = row;
    ++node.base;
    if (!at_char('\\')) break;
    advance();
    while (at_command("hline")) advance();
    if (at_command("end")) break;
  }
  if (!at_command("end")) fail("the end of a matrix");
  advance();
  expect_char('{');
  if (current().text != environment) fail("the end of a matrix");
  advance();
  expect_char('}');
  in_lines_ = outer;
  return add(std::move(node));
}

/// {...}: grouping in LaTeX; with commas inside, a set written plainly.
Id Parser::parse_braced_argument() {
  Deeper deeper(*this);
  expect_char('{');
  const int outer_bars = std::exchange(bars_open_, 0);
  Id inside = parse_list(true);
  if (at_command("over")) {  // TeX's {a \over b}
    advance();
    const Id bottom = parse_sum();
    inside = add(NodeKind::kDivide, {inside, bottom});
  }
  if (at_command("choose")) {
    advance();
    Node binomial;
    binomial.kind = NodeKind::kFunction;
    binomial.function = Function::kBinomial;
    binomial.children = {inside, parse_sum()};
    inside = add(std::move(binomial));
  }
  bars_open_ = outer_bars;
  if (at_char('.')) advance();  // \boxed{5.}
  expect_char('}');
  if (at(inside).kind == NodeKind::kList) at(inside).kind = NodeKind::kSet;
  return inside;
}

/// TeX's rule: braces, or one token, which of a number is one digit and of a word one letter.
Id Parser::parse_fraction_argument() {
  Deeper deeper(*this);
  if (at_char('{')) return parse_braced_argument();
  const Token& token = current();
  if (token.kind == TokenKind::kNumber || token.kind == TokenKind::kWord) {
    const char c = token.text[number_offset_];
    const std::size_t next = number_offset_ + 1;
    if (next == token.text.size()) {
      advance();
    } else {
      number_offset_ = next;
    }
    if (c >= '0' && c <= '9') return number(c - '0');
    if (c == 'i') return add(NodeKind::kImaginary, {});
    if (c == 'e') return add(NodeKind::kEuler, {});
    if (c == '.') fail("a fraction's argument");
    return symbol(std::string(1, c));
  }
  if (at_char('-')) fail("a fraction's argument");
  return parse_atom();
}

}  // namespace moebench::parsing
