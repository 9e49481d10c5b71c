#include <algorithm>
#include <cstdlib>

#include "datasets/grading/parser_state.h"

namespace moebench::parsing {
namespace {

constexpr std::pair<std::string_view, int> kNumberWords[] = {
    {"two", 2},   {"three", 3}, {"four", 4}, {"five", 5},    {"six", 6},     {"seven", 7},
    {"eight", 8}, {"nine", 9},  {"ten", 10}, {"eleven", 11}, {"twelve", 12}, {"sixteen", 16}};

/// 0.333..., 0.58333...: the digits at the end that stand there at least twice; empty if none do.
std::string_view shown_period(std::string_view decimals) {
  for (std::size_t period = 1; period <= decimals.size() / 2; ++period) {
    const std::string_view tail = decimals.substr(decimals.size() - period);
    if (decimals.substr(decimals.size() - 2 * period, period) == tail) return tail;
  }
  return {};
}

}  // namespace

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
    } else if ((c == 'e' || c == 'E') && i > 0 && text[i - 1] >= '0' && text[i - 1] <= '9') {
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

/// The number whose decimals begin as `prefix` has them (that many digits behind the point) and
/// then repeat `period` for ever: prefix + period / ((10^n - 1) * 10^d).
Id Parser::repeating(const Rational& prefix, std::string_view period, int digits_after_point) {
  if (period.empty() || period.size() > 200 ||
      period.find_first_not_of("0123456789") != std::string_view::npos) {
    fail("repeating digits");
  }
  Rational tail;
  fmpz_set_str(fmpq_numref(tail.get()), std::string(period).c_str(), 10);
  fmpz_t scale, nines;
  fmpz_init_set_ui(scale, 10);
  fmpz_init(nines);
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

/// (3), \overline{3}, \dot{1}\dot{6} behind the decimals.
Id Parser::parse_repeating(Rational prefix, int digits_after_point) {
  std::string period;
  const auto take_digits = [&] {
    const bool brace = at_char('{');
    if (brace) advance();
    if (current().kind != TokenKind::kNumber) fail("repeating digits");
    period += current().text;
    advance();
    if (brace) expect_char('}');
  };
  if (at_char('(')) {
    advance();
    period = current().text;
    advance();
    expect_char(')');
  } else if (at_command("overline")) {
    advance();
    take_digits();
  } else {
    while (at_command("dot")) {
      advance();
      take_digits();
    }
  }
  return repeating(prefix, period, digits_after_point);
}

Id Parser::parse_number() {
  const std::string_view text = current().text.substr(number_offset_);
  advance();
  const std::size_t point = text.find('.');
  if (point != std::string_view::npos && text.find_first_of("eE") == std::string_view::npos) {
    const int after = static_cast<int>(text.size() - point - 1);
    const bool bracket = at_char('(') && !current().space_before &&
                         peek(1).kind == TokenKind::kNumber && peek(2).kind == TokenKind::kChar &&
                         peek(2).text[0] == ')';
    if (at_command("overline") || at_command("dot") || bracket) {
      const Id prefix = literal(text);
      return parse_repeating(at(prefix).value, after);
    }
    if (at_command("ldots") && after >= 2) {
      const std::string_view period = shown_period(text.substr(point + 1));
      if (period.empty()) fail("digits that go on");
      advance();
      const Id prefix = literal(text);
      return repeating(Rational(at(prefix).value), period, after);
    }
  }
  return at_char('_') ? parse_base(text) : literal(text);
}

/// A number in another base: 52_8, 52_{(8)}, 52_{\text{eight}}, 52_{\text{base }8}.
Id Parser::parse_base(std::string_view digits) {
  std::string base = parse_subscript();
  if (base.starts_with("base")) base.erase(0, 4);
  std::erase(base, ' ');
  if (base.size() > 2 && base.front() == '(' && base.back() == ')')
    base = base.substr(1, base.size() - 2);
  int value = 0;
  for (const auto& [word, number] : kNumberWords) {
    if (base == word) value = number;
  }
  if (value == 0 && base.size() <= 2 && base.find_first_not_of("0123456789") == std::string::npos) {
    value = std::atoi(base.c_str());
  }
  if (value < 2 || value > 36 || digits.find_first_not_of("0123456789.,") != std::string_view::npos)
    fail("a number's base");
  if (value == 10) return literal(digits);
  Node node;
  node.kind = NodeKind::kBase;
  node.base = value;
  for (const char c : digits) {
    if (c != ',') node.text += c;
  }
  const std::size_t first = node.text.find_first_not_of('0');
  node.text.erase(0, std::min(first, node.text.size() - 1));
  if (node.text[0] == '.') node.text.insert(0, "0");
  return add(std::move(node));
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

}  // namespace moebench::parsing
