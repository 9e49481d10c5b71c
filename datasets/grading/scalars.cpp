#include <cstdlib>

#include "datasets/grading/compare.h"
#include "datasets/grading/phrases.h"

namespace moebench {
namespace {

/// The number under a sign, a unit, a percent or a degree sign; null if there is more to it.
const Node* literal_under_wrappers(Reference e) {
  while (true) {
    switch (e.node().kind) {
      case NodeKind::kNumber:
        return &e.node();
      case NodeKind::kNegate:
      case NodeKind::kQuantity:
      case NodeKind::kPercent:
      case NodeKind::kDegree:
        e = e.child(0);
        break;
      default:
        return nullptr;
    }
  }
}

/// The unit at the top of an expression: a quantity's, "degrees", or nothing.
std::string_view unit_of(Reference e) {
  while (e.node().kind == NodeKind::kNegate) e = e.child(0);
  if (e.node().kind == NodeKind::kQuantity) return e.node().text;
  if (e.node().kind == NodeKind::kDegree) return "degrees";
  if (e.node().kind == NodeKind::kPercent) return "percent";
  return {};
}

/// Whether the ball's upper bound lies below 2^exponent.
bool below(const Ball& ball, long exponent) {
  mag_t bound;
  mag_init(bound);
  acb_get_mag(bound, ball.get());
  const bool result = mag_cmp_2exp_si(bound, exponent) < 0;
  mag_clear(bound);
  return result;
}

long magnitude_bits(const Ball& ball) {
  mag_t bound;
  mag_init(bound);
  acb_get_mag(bound, ball.get());
  long bits = 0;
  if (!mag_is_special(bound)) {
    const double log2 = mag_get_d_log2_approx(bound);
    bits = log2 > 1e6 ? 1000000 : log2 < 0 ? 0 : static_cast<long>(log2);
  }
  mag_clear(bound);
  return bits;
}

}  // namespace

bool same_tree(const Reference& a, const Reference& b) {
  const Node& x = a.node();
  const Node& y = b.node();
  if (x.kind != y.kind || x.function != y.function || x.text != y.text || x.base != y.base ||
      x.open != y.open || x.close != y.close || x.relations != y.relations ||
      x.children.size() != y.children.size() ||
      (x.kind == NodeKind::kPlusMinus && x.flag != y.flag) ||
      (x.kind == NodeKind::kList && x.joiner != y.joiner)) {
    return false;
  }
  if (x.kind == NodeKind::kNumber && !(x.value == y.value)) return false;
  for (std::size_t i = 0; i < x.children.size(); ++i) {
    if (!same_tree(a.child(i), b.child(i))) return false;
  }
  return true;
}

bool Comparer::is_scalar(const Reference& e) const {
  switch (e.node().kind) {
    case NodeKind::kNumber:
    case NodeKind::kSymbol:
    case NodeKind::kPi:
    case NodeKind::kEuler:
    case NodeKind::kImaginary:
    case NodeKind::kInfinity:
      return true;
    case NodeKind::kAdd:
    case NodeKind::kMultiply:
    case NodeKind::kNegate:
    case NodeKind::kDivide:
    case NodeKind::kPower:
    case NodeKind::kRoot:
    case NodeKind::kFunction:
    case NodeKind::kPlusMinus:
    case NodeKind::kPercent:
    case NodeKind::kDegree:
    case NodeKind::kQuantity:
      for (std::size_t i = 0; i < e.node().children.size(); ++i) {
        if (!is_scalar(e.child(i))) return false;
      }
      return true;
    default:
      return false;
  }
}

/// Readings of percent signs: on one side they mean 1/100, but a gold's may be left out (ruling:
/// for a gold 25 % the answers 25 %, 25 and 0.25 count), and the answer's where the question asks
/// for one.
Outcome Comparer::compare_scalars(const Reference& gold, const Reference& answer) {
  if (units_conflict(unit_of(gold), unit_of(answer))) return {Same::kNo, GradeReason::kStructure};
  const bool gold_percent = contains_kind(gold, NodeKind::kPercent);
  const bool answer_percent = contains_kind(answer, NodeKind::kPercent);
  if (!gold_percent && !answer_percent) return compare_values(gold, answer);
  Reference whole_gold = gold, whole_answer = answer;
  whole_gold.percent_is_hundredth = false;
  whole_answer.percent_is_hundredth = false;
  if (gold_percent && answer_percent) return compare_values(whole_gold, whole_answer);
  if (gold_percent) {
    const Outcome outcome = compare_values(whole_gold, answer);
    return outcome.yes() ? outcome : compare_values(gold, answer);
  }
  const Outcome outcome = compare_values(gold, answer);
  if (outcome.yes() || !options_.percent_expected) return outcome;
  return compare_values(gold, whole_answer);
}

/// A decimal gold counts at its own precision: an answer that is no short decimal itself (a
/// fraction that does not end, a surd, a decimal with more digits) is right if it rounds to the
/// gold. That needs a gold that can be a rounded value: 0.33 and 27.8 can, 0.25 and 2.5 are exact
/// as they stand.
bool Comparer::within_gold_precision(const Reference& gold, const Reference& answer) {
  const Node* literal = literal_under_wrappers(gold);
  if (!literal || literal->decimals < 1) return false;
  const bool rounded = literal->decimals >= 2
                           ? fmpz_cmp_ui(literal->value.denominator(), 25) >= 0
                           : fmpz_cmp_ui(literal->value.numerator(), 100) >= 0 &&
                                 fmpz_cmp_ui(literal->value.denominator(), 5) >= 0;
  if (!rounded) return false;
  const Node* other = literal_under_wrappers(answer);
  Rational value;
  if (evaluate_rational(answer, work_, value)) {
    fmpz_t rest;
    fmpz_init_set(rest, value.denominator());
    fmpz_t ten;
    fmpz_init_set_ui(ten, 10);
    fmpz_t common;
    fmpz_init(common);
    while (true) {
      fmpz_gcd(common, rest, ten);
      if (fmpz_is_one(common)) break;
      work_.spend(2);
      fmpz_divexact(rest, rest, common);
    }
    const bool terminates = fmpz_is_one(rest);
    fmpz_clear(rest);
    fmpz_clear(ten);
    fmpz_clear(common);
    if (terminates && (!other || other->decimals <= literal->decimals)) return false;
  }
  Ball a, b, difference;
  if (!evaluate_ball(gold, 0, 256, work_, a) || !evaluate_ball(answer, 0, 256, work_, b))
    return false;
  acb_sub(difference.get(), a.get(), b.get(), 256);
  if (!arb_contains_zero(difference.imaginary())) return false;
  arb_t bound;
  arb_init(bound);
  arb_set_ui(bound, 10);
  arb_pow_ui(bound, bound, static_cast<ulong>(literal->decimals), 256);
  if (gold.percent_is_hundredth && contains_kind(gold, NodeKind::kPercent))
    arb_mul_ui(bound, bound, 100, 256);
  arb_mul_ui(bound, bound, 2, 256);
  arb_inv(bound, bound, 256);
  arb_t size;
  arb_init(size);
  arb_abs(size, difference.real());
  const bool within = arb_le(size, bound) != 0;
  arb_clear(size);
  arb_clear(bound);
  return within;
}

Outcome Comparer::compare_values(const Reference& gold, const Reference& answer) {
  const bool gold_infinite = contains_kind(gold, NodeKind::kInfinity);
  const bool answer_infinite = contains_kind(answer, NodeKind::kInfinity);
  if (gold_infinite || answer_infinite) {
    const auto sign = [](Reference e) {
      int result = 1;
      while (e.node().kind == NodeKind::kNegate) {
        result = -result;
        e = e.child(0);
      }
      return e.node().kind == NodeKind::kInfinity ? result : 0;
    };
    const bool same = sign(gold) != 0 && sign(gold) == sign(answer);
    return {same ? Same::kYes : Same::kNo, GradeReason::kSymbolic};
  }
  Rational g, a;
  if (evaluate_rational(gold, work_, g) && evaluate_rational(answer, work_, a)) {
    const bool integers = g.is_integer() && a.is_integer();
    if (g == a) return {Same::kYes, integers ? GradeReason::kInteger : GradeReason::kRational};
    if (within_gold_precision(gold, answer)) return {Same::kYes, GradeReason::kDecimalPrecision};
    return {Same::kNo, integers ? GradeReason::kInteger : GradeReason::kRational};
  }
  if (gold.sign == answer.sign && same_tree(gold, answer))
    return {Same::kYes, GradeReason::kSymbolic};
  const bool constant = variables(gold).empty() && variables(answer).empty();
  if (constant) {
    const Outcome outcome = compare_constants(gold, answer);
    if (!outcome.yes() && within_gold_precision(gold, answer))
      return {Same::kYes, GradeReason::kDecimalPrecision};
    return outcome;
  }
  bool rational_function = true;
  for (int point = 0; point < 3; ++point) {
    std::uint64_t x = 0, y = 0;
    if (!evaluate_modular(gold, point, work_, x) || !evaluate_modular(answer, point, work_, y)) {
      rational_function = false;
      break;
    }
    if (x != y) return {Same::kNo, GradeReason::kModular};
  }
  if (rational_function) return {Same::kYes, GradeReason::kModular};
  return compare_at_points(gold, answer);
}

Outcome Comparer::compare_constants(const Reference& gold, const Reference& answer) {
  for (const long precision : {128L, 640L, 2560L}) {
    Ball g, a, difference;
    if (!evaluate_ball(gold, 0, precision, work_, g) ||
        !evaluate_ball(answer, 0, precision, work_, a))
      continue;
    acb_sub(difference.get(), g.get(), a.get(), precision);
    if (!acb_contains_zero(difference.get())) return {Same::kNo, GradeReason::kNumericBall};
    // No two different short expressions are known to agree to a hundred digits by chance.
    const long scale = magnitude_bits(g);
    if (precision > 128 && below(difference, scale - 330))
      return {Same::kYes, GradeReason::kNumericBall};
  }
  return {Same::kUnknown, GradeReason::kBudget};
}

/// Where both are real, they must agree; points where either is not (a negative under a root, with
/// the variable meant to be positive) are passed over unless there are no others.
Outcome Comparer::compare_at_points(const Reference& gold, const Reference& answer) {
  constexpr long kPrecision = 192;
  const bool complex =
      contains_kind(gold, NodeKind::kImaginary) || contains_kind(answer, NodeKind::kImaginary);
  int agreed = 0, agreed_complex = 0, differed_complex = 0;
  for (int point = 0; point < 18 && agreed < 6; ++point) {
    Ball g, a, difference;
    if (!evaluate_ball(gold, point, kPrecision, work_, g) ||
        !evaluate_ball(answer, point, kPrecision, work_, a))
      continue;
    acb_sub(difference.get(), g.get(), a.get(), kPrecision);
    const bool real = g.is_real() && a.is_real();
    if (!acb_contains_zero(difference.get())) {
      if (real || complex) return {Same::kNo, GradeReason::kRandomPoints};
      ++differed_complex;
    } else if (below(difference, magnitude_bits(g) - 80)) {
      ++(real || complex ? agreed : agreed_complex);
    }
  }
  if (agreed >= 2 || (agreed == 0 && differed_complex == 0 && agreed_complex >= 2)) {
    return {Same::kYes, GradeReason::kRandomPoints};
  }
  if (agreed + agreed_complex + differed_complex == 0)
    return {Same::kUnknown, GradeReason::kBudget};
  return {Same::kNo, GradeReason::kRandomPoints};
}

}  // namespace moebench
