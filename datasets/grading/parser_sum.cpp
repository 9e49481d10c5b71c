#include "datasets/grading/parser_state.h"
#include "datasets/grading/phrases.h"

namespace moebench::parsing {

void Parser::fail(const std::string& what) const {
  std::string near;
  for (std::size_t i = position_; i < tokens_.size() && i < position_ + 4; ++i) {
    near += near.empty() ? "" : " ";
    near += tokens_[i].text.substr(0, 40);
  }
  throw ParseFailure{false, what + (near.empty() ? " at the end" : " at \"" + near + "\"")};
}

void Parser::skip_joiner(std::string_view word) {
  // \text{and } is the word alone; \text{and other things} is prose.
  if (current().kind == TokenKind::kText && current().text.size() > word.size()) {
    fail("prose");
  }
  advance();
}

bool Parser::at_currency_word() const {
  if (at_word("US") && peek(1).text == "dollar") return true;  // US\$120
  if (at_word("Rs") && peek(1).text == "." && peek(2).kind == TokenKind::kNumber) return true;
  return (at_word("USD") || at_word("Rs") || at_word("EUR")) && peek(1).kind == TokenKind::kNumber;
}

void Parser::parse_all() {
  while (at_command("therefore") || at_command("Rightarrow") || at_command("because")) advance();
  if (at_end()) fail("nothing");
  tree_.root = parse_list(false);
  while (at_char('.') || at_char(',') || at_char(';') || at_char('\\')) advance();
  if (!at_end()) fail("leftover input");
}

// sum := ["+" | "-" | "±"] product (("+" | "-" | "±" | "∓") product)*
Id Parser::parse_sum() {
  Deeper deeper(*this);
  std::vector<Id> terms;
  bool first = true;
  while (true) {
    bool minus = false, plus_minus = false, minus_plus = false, sign = false;
    while (at_char('+') || at_char('-') || at_command("pm") || at_command("mp")) {
      if (sign && !first && (at_command("pm") || at_command("mp"))) fail("two signs");
      if (at_char('-')) minus = !minus;
      if (at_command("pm")) plus_minus = true;
      if (at_command("mp")) minus_plus = true;
      sign = true;
      advance();
    }
    if (!first && !sign) break;
    if (first && (at_any_word("negative") || at_any_word("minus"))) {
      minus = !minus;
      advance();
    }
    Id term = parse_product();
    if (plus_minus || minus_plus) {
      term = add(NodeKind::kPlusMinus, {term});
      at(term).flag = minus_plus != minus;
    } else if (minus) {
      term = negate(term);
    }
    terms.push_back(term);
    first = false;
    if (!(at_char('+') || at_char('-') || at_command("pm") || at_command("mp"))) break;
  }
  if (const Id vector = vector_of_units(terms); vector >= 0) return vector;
  if (terms.size() == 1) return terms[0];
  if (terms.size() == 2 && at(terms[1]).kind == NodeKind::kNegate) {  // R - {2}
    const Id taken = at(terms[1]).children[0];
    if (at(terms[0]).kind == NodeKind::kAllReals && at(taken).kind == NodeKind::kSet)
      return add(NodeKind::kDifference, {terms[0], taken});
  }
  Node sum;
  sum.kind = NodeKind::kAdd;
  sum.children = std::move(terms);
  return add(std::move(sum));
}

// product := factor (("*" | "/" | nothing) factor)*, left to right
Id Parser::parse_product() {
  Deeper deeper(*this);
  Id left = parse_postfix(false);
  while (true) {
    if (at_char('*')) {
      advance();
      const Id right = parse_signed();
      left = multiply(left, right);
    } else if (at_char('/')) {
      if (unit_here()) return left;
      advance();
      Id right = parse_signed();
      // 1/2x is read left to right, as plain text and LaTeX both write 1/2 x; 1/(2x) needs
      // brackets.
      left = divide(left, right);
    } else {
      const Id next = parse_juxtaposed(left, false);
      if (next < 0) return left;
      left = next;
    }
  }
}

Id Parser::parse_signed() {
  Deeper deeper(*this);
  if (at_char('-')) {
    advance();
    return add(NodeKind::kNegate, {parse_signed()});
  }
  if (at_char('+')) {
    advance();
    return parse_signed();
  }
  return parse_postfix(false);
}

/// A number times a matrix is the matrix with each entry multiplied.
Id Parser::multiply(Id left, Id right) {
  const auto is_collection = [&](Id id) {
    const NodeKind kind = at(id).kind;
    return kind == NodeKind::kMatrix || kind == NodeKind::kBracket || kind == NodeKind::kSet ||
           kind == NodeKind::kUnion || kind == NodeKind::kList;
  };
  if (at(right).kind != NodeKind::kMatrix || is_collection(left))
    return add(NodeKind::kMultiply, {left, right});
  Node matrix = at(right);
  for (Id& entry : matrix.children) entry = add(NodeKind::kMultiply, {left, entry});
  return add(std::move(matrix));
}

Id Parser::negate(Id value) {
  if (at(value).kind != NodeKind::kMatrix) return add(NodeKind::kNegate, {value});
  return multiply(number(-1), value);
}

/// What stands before the one unit vector of a term, and its axis; -1 if there is none.
Id Parser::unit_coefficient(Id term, int& axis) {
  Deeper deeper(*this);
  const Node node = at(term);
  if (node.axis >= 0) {
    axis = node.axis;
    return number(1);
  }
  if (node.kind == NodeKind::kNegate) {
    const Id inner = unit_coefficient(node.children[0], axis);
    return inner < 0 ? inner : negate(inner);
  }
  if (node.kind == NodeKind::kDivide) {
    const Id inner = unit_coefficient(node.children[0], axis);
    return inner < 0 ? inner : divide(inner, node.children[1]);
  }
  if (node.kind != NodeKind::kMultiply || node.children.size() != 2) return -1;
  for (const std::size_t side : {1U, 0U}) {
    const Id inner = unit_coefficient(node.children[side], axis);
    if (inner >= 0) return multiply(node.children[1 - side], inner);
  }
  return -1;
}

/// 2i - 3j + k of unit vectors is a column, of three rows where a k stands in it; -1 if the terms
/// are something else. \mathbf{i} alone stays a letter: it may be meant as the imaginary unit.
Id Parser::vector_of_units(const std::vector<Id>& terms) {
  if (!has_units_) return -1;
  Id entries[3] = {-1, -1, -1};
  for (const Id term : terms) {
    int axis = -1;
    const Id coefficient = unit_coefficient(term, axis);
    if (coefficient < 0 || entries[axis] >= 0) return -1;
    entries[axis] = coefficient;
  }
  if (entries[1] < 0 && entries[2] < 0) return -1;
  Node column;
  column.kind = NodeKind::kMatrix;
  column.base = entries[2] >= 0 ? 3 : 2;
  column.flag = true;
  for (int row = 0; row < column.base; ++row)
    column.children.push_back(entries[row] >= 0 ? entries[row] : number(0));
  return add(std::move(column));
}

/// The sign behind the denominator of 100/3 % and 180/7 degrees belongs to the whole.
Id Parser::divide(Id left, Id right) {
  const NodeKind kind = at(right).kind;
  if (kind != NodeKind::kPercent && kind != NodeKind::kDegree)
    return add(NodeKind::kDivide, {left, right});
  const Id inside = at(right).children[0];
  return add(kind, {add(NodeKind::kDivide, {left, inside})});
}

bool Parser::factor_here() const {
  if (modulus_here()) return false;
  const Token& token = current();
  switch (token.kind) {
    case TokenKind::kNumber:
      return true;
    case TokenKind::kWord: {
      if (token.text == "and" || token.text == "or" || token.text == "U" || token.text == "union" ||
          token.text == "in" || token.text == "to")
        return false;
      return is_math_word(token.text) || token.text.size() <= 3;
    }
    case TokenKind::kText:
      return false;
    case TokenKind::kCommand: {
      static constexpr std::string_view kNot[] = {
          "le",        "ge",       "ne",         "in",         "approx",  "equiv",    "cup",
          "cap",       "setminus", "pm",         "mp",         "rbrace",  "rfloor",   "rceil",
          "rangle",    "end",      "circ",       "wedge",      "vee",     "mid",      "dollar",
          "ldots",     "to",       "rightarrow", "Rightarrow", "implies", "overline", "because",
          "therefore", "over",     "choose"};
      for (const std::string_view name : kNot) {
        if (token.text == name) return false;
      }
      return true;
    }
    case TokenKind::kChar:
      if (token.text[0] == '[') {  // [0,1[ closes there
        const Token& next = peek(1);
        return next.kind != TokenKind::kEnd && next.text != "cup" && next.text != "cap" &&
               next.text != "U" && next.text != "," && next.text != ")";
      }
      return token.text[0] == '(' || token.text[0] == '{' ||
             (token.text[0] == '|' && bars_open_ == 0);
    case TokenKind::kEnd:
      return false;
  }
  return false;
}

/// 3\frac18 and 3 1/8: a whole number with a proper fraction of whole numbers directly behind it.
bool Parser::mixed_number_follows(Id whole) const {
  if (!is_positive_integer(whole)) return false;
  if (at_command("frac")) return true;
  return current().kind == TokenKind::kNumber && current().space_before &&
         peek(1).kind == TokenKind::kChar && peek(1).text[0] == '/' &&
         peek(2).kind == TokenKind::kNumber;
}

/// The product with a factor that follows without a sign; -1 if none does.
Id Parser::parse_juxtaposed(Id left, bool in_function_argument) {
  if (!factor_here()) return -1;
  if (unit_here()) return -1;
  if (current().kind == TokenKind::kNumber) {
    if (mixed_number_follows(left)) {
      const Id numerator = parse_number();
      advance();  // '/'
      const Id denominator = parse_number();
      if (!is_positive_integer(numerator) || !is_positive_integer(denominator))
        fail("a mixed number");
      if (fmpz_cmp(at(numerator).value.numerator(), at(denominator).value.numerator()) >= 0)
        fail("a mixed number");
      const Id fraction = add(NodeKind::kDivide, {numerator, denominator});
      return parse_percent_or_degree(add(NodeKind::kAdd, {left, fraction}));
    }
    // "2 3" means nothing; x2 neither; but 2^{3}4 and \frac{1}{2}3 are products, as is \pi 2.
    if (at(left).kind == NodeKind::kNumber) fail("two numbers side by side");
  }
  if (at_command("frac") && mixed_number_follows(left)) {
    const Id with_sign = parse_postfix(in_function_argument);
    const NodeKind sign = at(with_sign).kind;
    const bool signed_fraction = sign == NodeKind::kPercent || sign == NodeKind::kDegree;
    const Id fraction = signed_fraction ? at(with_sign).children[0] : with_sign;
    const Node& node = at(fraction);
    const bool proper = node.kind == NodeKind::kDivide && is_positive_integer(node.children[0]) &&
                        is_positive_integer(node.children[1]) &&
                        fmpz_cmp(at(node.children[0]).value.numerator(),
                                 at(node.children[1]).value.numerator()) < 0;
    if (!proper) return add(NodeKind::kMultiply, {left, with_sign});
    const Id mixed = add(NodeKind::kAdd, {left, fraction});
    return signed_fraction ? add(sign, {mixed}) : mixed;
  }
  const bool bracket = at_char('(');
  const NodeKind left_kind = at(left).kind;
  if (left_kind == NodeKind::kBracket || left_kind == NodeKind::kSet ||
      left_kind == NodeKind::kUnion || left_kind == NodeKind::kMatrix) {
    // A matrix or vector times something is not evaluated.
    fail("a product with a collection");
  }
  const Id right = parse_postfix(in_function_argument);
  const Id product = multiply(left, right);
  const bool inverse = left_kind == NodeKind::kPower &&  // f^{-1}(x)
                       at(at(left).children[0]).kind == NodeKind::kSymbol &&
                       at(at(left).children[1]).kind == NodeKind::kNegate;
  at(product).flag = bracket && (left_kind == NodeKind::kSymbol || inverse);
  return product;
}

// postfix := atom ("!" | "^" exponent | "%" | "°")*
Id Parser::parse_postfix(bool in_function_argument) {
  Deeper deeper(*this);
  (void)in_function_argument;
  Id value = parse_atom();
  while (true) {
    if (at_char('^')) {
      value = apply_power(value);
    } else if (at_char('!')) {
      advance();
      Node factorial;
      factorial.kind = NodeKind::kFunction;
      factorial.function = Function::kFactorial;
      factorial.children = {value};
      value = add(std::move(factorial));
    } else {
      const Id next = parse_percent_or_degree(value);
      if (next == value) return value;
      value = next;
    }
  }
}

Id Parser::parse_percent_or_degree(Id value) {
  if (at_char('%')) {
    advance();
    return add(NodeKind::kPercent, {value});
  }
  if (!at_command("circ")) return value;
  advance();
  return parse_temperature(add(NodeKind::kDegree, {value}));
}

/// The letter of degrees Celsius or Fahrenheit, behind the degree sign.
Id Parser::parse_temperature(Id degrees) {
  if (at_any_word("C") || at_any_word("F")) advance();
  return degrees;
}

Id Parser::apply_power(Id base) {
  advance();
  // ^\circ and ^{\circ}: degrees
  if (at_command("circ")) {
    advance();
    return parse_temperature(add(NodeKind::kDegree, {base}));
  }
  const bool circle = peek(1).kind == TokenKind::kCommand && peek(1).text == "circ";
  const bool letter_o = is_value(base) && peek(1).kind == TokenKind::kWord && peek(1).text == "o";
  if (at_char('{') && (circle || letter_o) && peek(2).kind == TokenKind::kChar &&
      peek(2).text[0] == '}') {
    advance();
    advance();
    advance();
    return parse_temperature(add(NodeKind::kDegree, {base}));
  }
  const Id exponent = parse_exponent();
  return add(NodeKind::kPower, {base, exponent});
}

Id Parser::parse_exponent() {
  Deeper deeper(*this);
  if (at_char('{')) return parse_braced_argument();
  if (at_char('-') || at_char('+')) {
    const bool minus = at_char('-');
    advance();
    const Id exponent = parse_exponent();
    return minus ? add(NodeKind::kNegate, {exponent}) : exponent;
  }
  const Id exponent = parse_atom();
  if (at_char('^')) return apply_power(exponent);  // right to left
  return exponent;
}

}  // namespace moebench::parsing
