#include <algorithm>
#include <array>

#include "datasets/grading/parser_state.h"
#include "datasets/grading/phrases.h"

namespace moebench::parsing {
namespace {

struct FunctionName {
  std::string_view name;
  Function function;
};
constexpr FunctionName kFunctions[] = {
    {"sin", Function::kSin},       {"cos", Function::kCos},       {"tan", Function::kTan},
    {"cot", Function::kCot},       {"sec", Function::kSec},       {"csc", Function::kCsc},
    {"arcsin", Function::kArcsin}, {"arccos", Function::kArccos}, {"arctan", Function::kArctan},
    {"arccot", Function::kArccot}, {"asin", Function::kArcsin},   {"acos", Function::kArccos},
    {"atan", Function::kArctan},   {"sinh", Function::kSinh},     {"cosh", Function::kCosh},
    {"tanh", Function::kTanh},     {"exp", Function::kExp},       {"ln", Function::kLn},
    {"log", Function::kLog10},     {"gcd", Function::kGcd},       {"max", Function::kMax},
    {"min", Function::kMin},       {"floor", Function::kFloor},   {"ceil", Function::kCeil},
    {"abs", Function::kAbs}};

constexpr std::string_view kGreek[] = {
    "alpha", "beta",   "gamma", "delta", "epsilon", "zeta",  "eta",     "theta",  "iota",
    "kappa", "lambda", "mu",    "nu",    "xi",      "rho",   "sigma",   "tau",    "upsilon",
    "phi",   "chi",    "psi",   "omega", "Gamma",   "Delta", "Theta",   "Lambda", "Xi",
    "Pi",    "Sigma",  "Phi",   "Psi",   "Omega",   "ell",   "vartheta"};

Function find_function(std::string_view name) {
  for (const FunctionName& entry : kFunctions) {
    if (entry.name == name) return entry.function;
  }
  return Function::kNone;
}

constexpr std::pair<std::string_view, int> kNumberWords[] = {
    {"two", 2},   {"three", 3}, {"four", 4}, {"five", 5},    {"six", 6},     {"seven", 7},
    {"eight", 8}, {"nine", 9},  {"ten", 10}, {"eleven", 11}, {"twelve", 12}, {"sixteen", 16}};

}  // namespace

Id Parser::parse_atom() {
  Deeper deeper(*this);
  const Token& token = current();
  switch (token.kind) {
    case TokenKind::kNumber:
      return parse_number();
    case TokenKind::kWord:
      return parse_word();
    case TokenKind::kCommand:
      return parse_command();
    case TokenKind::kText: {
      Node node;
      node.kind = NodeKind::kText;
      node.text = std::string(token.text);
      if (position_ != 0 || peek(1).kind != TokenKind::kEnd) {
        // Words are an answer alone or in a list, never a factor.
        const bool after_separator = position_ == 0 || tokens_[position_ - 1].text == "," ||
                                     tokens_[position_ - 1].kind == TokenKind::kText ||
                                     tokens_[position_ - 1].text == "(" ||
                                     tokens_[position_ - 1].text == "and";
        if (!after_separator) fail("words inside mathematics");
      }
      advance();
      return add(std::move(node));
    }
    case TokenKind::kChar:
      switch (token.text[0]) {
        case '(':
        case '[':
        case ']':
          return parse_group(token.text[0]);
        case '{':
          return parse_braced_argument();
        case '|':
          return parse_absolute();
        case '<':
          return parse_angle_tuple();
        default:
          fail("a value was expected");
      }
    case TokenKind::kEnd:
      fail("a value was expected");
  }
  fail("a value was expected");
}

/// The number written as digits, separators and perhaps a point and an exponent.
Id Parser::literal(std::string_view text) {
  std::string digits;
  int decimals = -1;
  long exponent = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c >= '0' && c <= '9') {
      digits += c;
      if (decimals >= 0) ++decimals;
    } else if (c == '.') {
      decimals = 0;
    } else if (c == 'e' || c == 'E') {
      exponent = std::strtol(std::string(text.substr(i + 1)).c_str(), nullptr, 10);
      break;
    }
  }
  if (digits.size() > kMaxLiteralDigits || exponent > 5000 || exponent < -5000) {
    fail_budget("a number of more than 5000 digits");
  }
  if (digits.empty()) fail("a number");
  Node node;
  node.decimals = decimals == 0 ? -1 : decimals;
  fmpz_set_str(fmpq_numref(node.value.get()), digits.c_str(), 10);
  const long power = exponent - std::max(decimals, 0);
  if (power != 0) {
    fmpz_t scale;
    fmpz_init(scale);
    fmpz_set_ui(scale, 10);
    fmpz_pow_ui(scale, scale, static_cast<ulong>(power < 0 ? -power : power));
    if (power < 0)
      fmpq_div_fmpz(node.value.get(), node.value.get(), scale);
    else
      fmpq_mul_fmpz(node.value.get(), node.value.get(), scale);
    fmpz_clear(scale);
  }
  if (exponent != 0) node.decimals = -1;
  return add(std::move(node));
}

/// What repeats for ever behind `prefix` (a decimal with `digits_after_point` digits).
Id Parser::parse_repeating(Rational prefix, int, int digits_after_point) {
  std::string period;
  const bool bracket = at_char('(');
  if (bracket) {
    advance();
    period = current().text;
    advance();
    expect_char(')');
  } else if (at_command("overline")) {
    advance();
    const bool brace = at_char('{');
    if (brace) advance();
    if (current().kind != TokenKind::kNumber) fail("repeating digits");
    period = current().text;
    advance();
    if (brace) expect_char('}');
  } else {
    while (at_command("dot")) {  // 0.\dot{3}, 0.\dot{1}\dot{6}
      advance();
      const bool brace = at_char('{');
      if (brace) advance();
      if (current().kind != TokenKind::kNumber) fail("repeating digits");
      period += current().text;
      advance();
      if (brace) expect_char('}');
    }
  }
  if (period.empty() || period.size() > 200 ||
      period.find_first_not_of("0123456789") != std::string::npos) {
    fail("repeating digits");
  }
  // prefix + period / ((10^n - 1) * 10^d)
  Rational tail;
  fmpz_set_str(fmpq_numref(tail.get()), period.c_str(), 10);
  fmpz_t scale, nines;
  fmpz_init(scale);
  fmpz_init(nines);
  fmpz_set_ui(scale, 10);
  fmpz_pow_ui(nines, scale, period.size());
  fmpz_sub_ui(nines, nines, 1);
  fmpz_pow_ui(scale, scale, static_cast<ulong>(digits_after_point));
  fmpz_mul(scale, scale, nines);
  fmpq_div_fmpz(tail.get(), tail.get(), scale);
  fmpz_clear(scale);
  fmpz_clear(nines);
  Node node;
  fmpq_add(node.value.get(), prefix.get(), tail.get());
  return add(std::move(node));
}

Id Parser::parse_number() {
  std::string_view text = current().text.substr(number_offset_);
  const bool plain_digits = text.find_first_not_of("0123456789") == std::string_view::npos;
  advance();
  const std::size_t point = text.find('.');
  if (point != std::string_view::npos && text.find_first_of("eE") == std::string_view::npos) {
    const int after = static_cast<int>(text.size() - point - 1);
    const bool bracket = at_char('(') && !current().space_before &&
                         peek(1).kind == TokenKind::kNumber && peek(2).kind == TokenKind::kChar &&
                         peek(2).text[0] == ')';
    if (at_command("overline") || at_command("dot") || bracket) {
      const Id prefix = literal(text);
      return parse_repeating(at(prefix).value, at(prefix).decimals, after);
    }
    if (at_command("ldots") && after >= 3) {  // 0.333...
      const std::string_view decimals = text.substr(point + 1);
      for (std::size_t period = 1; period <= decimals.size() / 2; ++period) {
        const std::size_t copies = period == 1 ? 3 : 2;
        if (copies * period > decimals.size()) continue;
        const std::string_view tail = decimals.substr(decimals.size() - period);
        bool repeats = true;
        for (std::size_t k = 2; k <= copies; ++k) {
          repeats = repeats && decimals.substr(decimals.size() - k * period, period) == tail;
        }
        if (!repeats) continue;
        advance();
        const Id prefix = literal(text);
        // The digits so far, then the period again and again.
        Node node;
        Rational period_value;
        fmpz_set_str(fmpq_numref(period_value.get()), std::string(tail).c_str(), 10);
        fmpz_t scale, nines;
        fmpz_init_set_ui(scale, 10);
        fmpz_init(nines);
        fmpz_pow_ui(nines, scale, period);
        fmpz_sub_ui(nines, nines, 1);
        fmpz_pow_ui(scale, scale, static_cast<ulong>(after));
        fmpz_mul(scale, scale, nines);
        fmpq_div_fmpz(period_value.get(), period_value.get(), scale);
        fmpq_add(node.value.get(), at(prefix).value.get(), period_value.get());
        fmpz_clear(scale);
        fmpz_clear(nines);
        return add(std::move(node));
      }
      fail("digits that go on");
    }
  }
  if (at_char('_')) {  // a number in another base
    const bool digits_only = text.find_first_not_of("0123456789.,") == std::string_view::npos;
    std::string base = parse_subscript();
    if (base.size() > 2 && base.front() == '(' && base.back() == ')')
      base = base.substr(1, base.size() - 2);
    int value = 0;
    for (const auto& [word, number] : kNumberWords) {
      if (base == word) value = number;
    }
    if (value == 0 && base.size() <= 2 &&
        base.find_first_not_of("0123456789") == std::string::npos) {
      value = std::atoi(base.c_str());
    }
    if (value < 2 || value > 36 || !digits_only) fail("a number's base");
    Node node;
    node.kind = NodeKind::kBase;
    node.base = value;
    for (const char c : text) {
      if (c != ',') node.text += c;
    }
    const std::size_t first = node.text.find_first_not_of('0');
    node.text.erase(0, std::min(first, node.text.size() - 1));
    if (node.text[0] == '.') node.text.insert(0, "0");
    return add(std::move(node));
  }
  (void)plain_digits;
  return literal(text);
}

std::string Parser::parse_subscript() {
  expect_char('_');
  std::string name;
  if (at_char('{')) {
    advance();
    int depth = 1;
    while (!at_end()) {
      if (at_char('{')) ++depth;
      if (at_char('}') && --depth == 0) break;
      name += current().text;
      if (name.size() > 60) fail("a subscript");
      advance();
    }
    expect_char('}');
  } else {
    name += current().text;
    if (at_end()) fail("a subscript");
    advance();
  }
  return name;
}

Id Parser::parse_word() {
  std::string_view word = current().text.substr(number_offset_);
  // ASCII notation
  if (word == "sqrt" || word == "cbrt") {
    advance();
    const Id argument = parse_atom();
    return add(NodeKind::kRoot, {argument, number(word == "sqrt" ? 2 : 3)});
  }
  if (word == "pi" || word == "Pi" || word == "PI") {
    advance();
    return add(NodeKind::kPi, {});
  }
  if (word == "inf" || word == "infinity" || word == "oo" || word == "Infinity" ||
      word == "infty") {
    advance();
    return add(NodeKind::kInfinity, {});
  }
  if (const Function function = find_function(word); function != Function::kNone) {
    advance();
    return parse_function(function);
  }
  for (const std::string_view greek : kGreek) {
    if (word == greek && word.size() > 2 && word != "Pi" && word != "ell") {
      advance();
      return symbol(std::string(word));
    }
  }
  for (const FunctionName& entry : kFunctions) {  // sinx, lnx
    if (word.size() == entry.name.size() + 1 && word.starts_with(entry.name)) {
      const std::string letter(word.substr(entry.name.size()));
      advance();
      Node node;
      node.kind = NodeKind::kFunction;
      node.function = entry.function;
      node.children = {symbol(letter)};
      return add(std::move(node));
    }
  }
  if (word.size() > 3) fail("a word inside mathematics");
  advance();
  std::vector<Id> letters;
  for (std::size_t k = 0; k < word.size(); ++k) {
    const char c = word[k];
    if (c == 'i') {
      letters.push_back(add(NodeKind::kImaginary, {}));
    } else if (c == 'e') {
      letters.push_back(add(NodeKind::kEuler, {}));
    } else {
      letters.push_back(symbol(std::string(1, c)));
    }
  }
  if (at_char('_')) {
    const std::string index = parse_subscript();
    letters.back() = symbol(std::string(1, word.back()) + "_" + index);
  }
  if (at_char('\'')) fail("a derivative");
  if (letters.size() == 1) return letters[0];
  while (at_char('^')) letters.back() = apply_power(letters.back());  // xy^2
  Node product;
  product.kind = NodeKind::kMultiply;
  product.children = std::move(letters);
  return add(std::move(product));
}

Id Parser::parse_command() {
  const std::string_view name = current().text;
  if (name == "frac") {
    advance();
    const Id numerator = parse_fraction_argument();
    const Id denominator = parse_fraction_argument();
    return add(NodeKind::kDivide, {numerator, denominator});
  }
  if (name == "sqrt") {
    advance();
    Id index = -1;
    if (at_char('[')) {
      advance();
      index = parse_sum();
      expect_char(']');
    }
    const bool letters = current().kind == TokenKind::kWord && !is_math_word(current().text);
    const Id radicand = letters ? parse_fraction_argument() : parse_atom();
    if (index < 0) index = number(2);
    return add(NodeKind::kRoot, {radicand, index});
  }
  if (name == "pi") {
    advance();
    return add(NodeKind::kPi, {});
  }
  if (name == "infty") {
    advance();
    return add(NodeKind::kInfinity, {});
  }
  if (name == "imath") {
    advance();
    return add(NodeKind::kImaginary, {});
  }
  if (name == "lbrace") return parse_set();
  if (name == "langle") return parse_angle_tuple();
  if (name == "begin") return parse_matrix();
  if (name == "emptyset") {
    advance();
    return add(NodeKind::kNoSolution, {});
  }
  if (name == "reals") {
    advance();
    return add(NodeKind::kAllReals, {});
  }
  if (name == "ldots") {
    advance();
    return add(NodeKind::kEllipsis, {});
  }
  if (name == "binom") {
    advance();
    const Id n = parse_fraction_argument();
    const Id k = parse_fraction_argument();
    Node node;
    node.kind = NodeKind::kFunction;
    node.function = Function::kBinomial;
    node.children = {n, k};
    return add(std::move(node));
  }
  if (name == "lfloor" || name == "lceil") {
    advance();
    const Id inside = parse_sum();
    if (!at_command(name == "lfloor" ? "rfloor" : "rceil")) fail("a closing bracket");
    advance();
    Node node;
    node.kind = NodeKind::kFunction;
    node.function = name == "lfloor" ? Function::kFloor : Function::kCeil;
    node.children = {inside};
    return add(std::move(node));
  }
  static constexpr std::string_view kAccents[] = {
      "overline",           "vec",   "hat",      "tilde",     "widehat", "overrightarrow",
      "overleftrightarrow", "angle", "triangle", "widetilde", "mathring"};
  for (const std::string_view accent : kAccents) {
    if (name == accent) {
      advance();
      return parse_atom();
    }
  }
  if (const Function function = find_function(name); function != Function::kNone) {
    advance();
    return parse_function(function);
  }
  for (const std::string_view greek : kGreek) {
    if (name != greek) continue;
    advance();
    std::string full(name);
    if (at_char('_')) full += "_" + parse_subscript();
    return symbol(std::move(full));
  }
  fail("an unknown command");
}

/// sin x, sin 3x, sin(3x), sin^2 x, sin^{-1} x, log_2 8
Id Parser::parse_function(Function function) {
  Deeper deeper(*this);
  Id exponent = -1;
  Id log_base = -1;
  for (int round = 0; round < 2; ++round) {
    if (at_char('_') && function == Function::kLog10 && log_base < 0) {
      advance();
      log_base = at_char('{') ? parse_braced_argument() : parse_fraction_argument();
      function = Function::kLogBase;
    } else if (at_char('^') && exponent < 0) {
      advance();
      exponent = parse_exponent();
    }
  }
  Node node;
  node.kind = NodeKind::kFunction;
  node.function = function;
  const bool inverse = exponent >= 0 && at(exponent).kind == NodeKind::kNegate &&
                       at(at(exponent).children[0]).kind == NodeKind::kNumber &&
                       fmpq_is_one(at(at(exponent).children[0]).value.get());
  if (inverse) {
    switch (function) {
      case Function::kSin:
        node.function = Function::kArcsin;
        break;
      case Function::kCos:
        node.function = Function::kArccos;
        break;
      case Function::kTan:
        node.function = Function::kArctan;
        break;
      case Function::kCot:
        node.function = Function::kArccot;
        break;
      default:
        break;
    }
    if (node.function != function) exponent = -1;
  }
  std::vector<Id> arguments;
  if (at_char('(')) {
    advance();
    const Id inside = parse_list(true);
    expect_char(')');
    if (at(inside).kind == NodeKind::kList) {
      arguments = at(inside).children;
    } else {
      arguments = {inside};
    }
    if (at_command("circ")) fail("degrees behind a bracket");
    // \sin(x)^2 is (sin x)^2: parse_postfix raises what is returned here.
  } else {
    const bool minus = at_char('-');
    if (minus) advance();
    Id argument = parse_postfix(true);
    while (factor_here() && !unit_here()) {  // sin 3x, but not sin x cos x
      const bool another_function =
          (current().kind == TokenKind::kCommand || current().kind == TokenKind::kWord) &&
          find_function(current().text) != Function::kNone;
      if (another_function || at_char('(')) break;
      const Id next = parse_juxtaposed(argument, true);
      if (next < 0) break;
      argument = next;
    }
    if (minus) argument = add(NodeKind::kNegate, {argument});
    arguments = {argument};
  }
  const bool many =
      function == Function::kGcd || function == Function::kMax || function == Function::kMin;
  if (many ? arguments.size() != 2 : arguments.size() != 1) fail("arguments of a function");
  node.children = arguments;
  if (log_base >= 0) node.children.push_back(log_base);
  Id result = add(std::move(node));
  if (exponent >= 0) result = add(NodeKind::kPower, {result, exponent});
  return result;
}

Id Parser::parse_group(char open) {
  Deeper deeper(*this);
  advance();
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

Id Parser::parse_matrix() {
  Deeper deeper(*this);
  advance();
  expect_char('{');
  const std::string environment(current().text);
  advance();
  expect_char('}');
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
