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
    {"cis", Function::kCis},       {"arcsin", Function::kArcsin}, {"arccos", Function::kArccos},
    {"arctan", Function::kArctan}, {"arccot", Function::kArccot}, {"asin", Function::kArcsin},
    {"acos", Function::kArccos},   {"atan", Function::kArctan},   {"sinh", Function::kSinh},
    {"cosh", Function::kCosh},     {"tanh", Function::kTanh},     {"exp", Function::kExp},
    {"ln", Function::kLn},         {"log", Function::kLog10},     {"gcd", Function::kGcd},
    {"max", Function::kMax},       {"min", Function::kMin},       {"floor", Function::kFloor},
    {"ceil", Function::kCeil},     {"abs", Function::kAbs}};

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

bool takes_two(Function function) {
  return function == Function::kGcd || function == Function::kMax || function == Function::kMin;
}

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
    if (word.size() == entry.name.size() + 1 && word.starts_with(entry.name) &&
        !takes_two(entry.function)) {
      const std::string letter(word.substr(entry.name.size()));
      advance();
      Node node;
      node.kind = NodeKind::kFunction;
      node.function = entry.function;
      node.children = {symbol(letter)};
      return add(std::move(node));
    }
  }
  if (position_ == 0 && peek(1).kind == TokenKind::kEnd && capitals_here())
    return words_of_capitals();
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

/// Three or more capitals alone name something by its points or letters: ABC is not ACB.
bool Parser::capitals_here() const {
  return current().kind == TokenKind::kWord && current().text.size() >= 3 &&
         current().text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string_view::npos;
}

Id Parser::words_of_capitals() {
  Node node;
  node.kind = NodeKind::kText;
  node.text = std::string(current().text);
  advance();
  return add(std::move(node));
}

Id Parser::parse_command() {
  const std::string_view name = current().text;
  if (name == "frac") {
    advance();
    const Id numerator = parse_fraction_argument();
    const Id denominator = parse_fraction_argument();
    return add(NodeKind::kDivide, {numerator, denominator});
  }
  if (name == "cbrt") {
    advance();
    const Id radicand = parse_atom();
    return add(NodeKind::kRoot, {radicand, number(3)});
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
  if (name.starts_with("unit ")) {  // i, j, k as a vector: a letter until a sum shows it is one
    const std::string letter(name.substr(5));
    advance();
    const Id unit = letter == "i" ? add(NodeKind::kImaginary, {}) : symbol(letter);
    at(unit).axis = static_cast<std::int8_t>(letter[0] - 'i');
    has_units_ = true;
    return unit;
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
      return capitals_here() ? words_of_capitals() : parse_atom();
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
  if (arguments.size() != (takes_two(function) ? 2 : 1)) fail("arguments of a function");
  node.children = arguments;
  if (log_base >= 0) node.children.push_back(log_base);
  Id result = add(std::move(node));
  if (exponent >= 0) result = add(NodeKind::kPower, {result, exponent});
  return result;
}

}  // namespace moebench::parsing
