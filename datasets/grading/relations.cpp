#include <algorithm>

#include "datasets/grading/compare.h"

namespace moebench {
namespace {

bool is_inequality(Relation relation) {
  return relation == Relation::kLess || relation == Relation::kLessEqual ||
         relation == Relation::kGreater || relation == Relation::kGreaterEqual;
}

Relation reversed(Relation relation) {
  switch (relation) {
    case Relation::kLess:
      return Relation::kGreater;
    case Relation::kLessEqual:
      return Relation::kGreaterEqual;
    case Relation::kGreater:
      return Relation::kLess;
    case Relation::kGreaterEqual:
      return Relation::kLessEqual;
    default:
      return relation;
  }
}

bool is_single(const Reference& e, Relation relation) {
  return e.node().relations.size() == 1 && e.node().relations[0] == relation;
}

}  // namespace

/// What may stand left of an equals sign as a mere name for the answer: x, f(x), AB, |z|, a + b,
/// P(A), (x, y), words.
bool Comparer::is_label(const Reference& e) const {
  const Node& node = e.node();
  switch (node.kind) {
    case NodeKind::kSymbol:
    case NodeKind::kText:
      return true;
    case NodeKind::kMultiply:
      if (node.flag) return true;  // f(x)
      [[fallthrough]];
    case NodeKind::kAdd:
    case NodeKind::kBracket:
      for (std::size_t i = 0; i < node.children.size(); ++i) {
        if (e.child(i).node().kind != NodeKind::kSymbol &&
            e.child(i).node().kind != NodeKind::kImaginary &&
            e.child(i).node().kind != NodeKind::kEuler && !is_label(e.child(i))) {
          return false;
        }
      }
      return true;
    case NodeKind::kFunction:
      return variables(e).size() > 0 && node.children.size() == 1 && is_label(e.child(0));
    case NodeKind::kDivide:
      return is_label(e.child(0)) && is_label(e.child(1));
    case NodeKind::kPower: {  // x^2, A^{-1}
      Reference exponent = e.child(1);
      if (exponent.node().kind == NodeKind::kNegate) exponent = exponent.child(0);
      return is_label(e.child(0)) && exponent.node().kind == NodeKind::kNumber;
    }
    default:
      return false;
  }
}

/// Whether a gold equation only names its value, so that the value alone answers the problem: x,
/// AB, f(x), (x, y), f^{-1}(x), words; but no sums, products and powers of unknowns.
bool Comparer::names_its_value(const Reference& gold) const {
  const Reference name = gold.child(0);
  const Node& node = name.node();
  if (variables(name).empty()) return true;
  switch (node.kind) {
    case NodeKind::kAdd:
    case NodeKind::kDivide:
      return false;
    case NodeKind::kPower:
      return name.child(1).node().kind == NodeKind::kNegate;
    case NodeKind::kMultiply:
      if (node.flag) return true;
      for (std::size_t i = 0; i < node.children.size(); ++i) {
        const Node& factor = name.child(i).node();
        if (factor.kind == NodeKind::kText) return true;  // m angle ABC
      }
      for (std::size_t i = 0; i < node.children.size(); ++i) {
        const Node& factor = name.child(i).node();
        if (factor.kind == NodeKind::kSymbol && factor.text[0] >= 'a') return false;
      }
      return true;
    default:
      return true;
  }
}

bool Comparer::strip_label(const Reference& e, Reference& value) {
  const Node& node = e.node();
  if (node.kind != NodeKind::kRelation) return false;
  if (node.relations.size() == 1 && node.relations[0] == Relation::kElementOf) {
    if (!is_label(e.child(0))) return false;
    value = e.child(1);
    return true;
  }
  std::size_t parts = node.children.size();
  for (std::size_t i = 0; i < node.relations.size(); ++i) {
    if (node.relations[i] == Relation::kApproximately) {
      // "1/3 \approx 0.33": what stands before it is the answer, unless it is just a name.
      const bool only_name = i == 0 && is_label(e.child(0));
      if (only_name && i + 1 == node.relations.size()) {
        value = e.child(1);
        return true;
      }
      if (only_name) return false;
      parts = i + 1;
      break;
    }
    if (node.relations[i] != Relation::kEqual) return false;
  }
  const bool turned_around = node.relations.size() == 1 && parts == 2 &&
                             e.child(1).node().kind == NodeKind::kSymbol &&
                             variables(e.child(0)).empty();
  if (turned_around) {  // 4 = x
    value = e.child(0);
    return true;
  }
  const bool label = is_label(e.child(0));
  std::size_t first = label ? 1 : 0;
  while (label && first + 1 < parts && is_label(e.child(first))) ++first;  // y = f(x) = 3
  if (first >= parts) {
    if (parts == 0) return false;
    first = parts - 1;
  }
  value = e.child(parts - 1);
  if (first == 0) {
    for (std::size_t i = 0; i < parts; ++i) {
      if (!variables(e.child(i)).empty()) return false;
    }
  }
  for (std::size_t i = first; i + 1 < parts; ++i) {
    if (!compare(e.child(i), value).yes()) return false;
  }
  return true;
}

/// Whether left minus right of one relation is a constant (positive, for inequalities) multiple of
/// the other's: the same line, circle or half-plane written differently.
Outcome Comparer::proportional(const Reference& gold, const Reference& answer, bool positive) {
  Ball gold_value[4], answer_value[4];
  int found = 0;
  bool modular_yes = false;
  if (!positive) {
    std::uint64_t g[3][2], a[3][2];
    bool modular = true;
    constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61) - 1;
    for (int point = 0; point < 3 && modular; ++point) {
      for (std::size_t side = 0; side < 2 && modular; ++side) {
        modular = evaluate_modular(gold.child(side), point, work_, g[point][side]) &&
                  evaluate_modular(answer.child(side), point, work_, a[point][side]);
      }
    }
    if (modular) {
      const auto minus = [](std::uint64_t x, std::uint64_t y) { return (x + kPrime - y) % kPrime; };
      const auto times = [](std::uint64_t x, std::uint64_t y) {
        return static_cast<std::uint64_t>(static_cast<unsigned __int128>(x) * y % kPrime);
      };
      const std::uint64_t g0 = minus(g[0][0], g[0][1]), a0 = minus(a[0][0], a[0][1]);
      if (g0 == 0 || a0 == 0) return {Same::kNo, GradeReason::kModular};
      for (int point = 1; point < 3; ++point) {
        const std::uint64_t gk = minus(g[point][0], g[point][1]),
                            ak = minus(a[point][0], a[point][1]);
        if (times(g0, ak) != times(gk, a0)) return {Same::kNo, GradeReason::kModular};
      }
      modular_yes = true;
    }
  }
  if (modular_yes) return {Same::kYes, GradeReason::kModular};
  constexpr long kPrecision = 192;
  for (int point = 0; point < 18 && found < 4; ++point) {
    Ball left, right;
    if (!evaluate_ball(gold.child(0), point, kPrecision, work_, left) ||
        !evaluate_ball(gold.child(1), point, kPrecision, work_, right)) {
      continue;
    }
    acb_sub(gold_value[found].get(), left.get(), right.get(), kPrecision);
    if (!evaluate_ball(answer.child(0), point, kPrecision, work_, left) ||
        !evaluate_ball(answer.child(1), point, kPrecision, work_, right)) {
      continue;
    }
    acb_sub(answer_value[found].get(), left.get(), right.get(), kPrecision);
    if (acb_contains_zero(gold_value[found].get()) || acb_contains_zero(answer_value[found].get()))
      continue;
    ++found;
  }
  if (found < 2) return {Same::kUnknown, GradeReason::kRandomPoints};
  for (int k = 1; k < found; ++k) {
    Ball left, right;
    acb_mul(left.get(), gold_value[0].get(), answer_value[k].get(), kPrecision);
    acb_mul(right.get(), gold_value[k].get(), answer_value[0].get(), kPrecision);
    acb_sub(left.get(), left.get(), right.get(), kPrecision);
    if (!acb_contains_zero(left.get())) return {Same::kNo, GradeReason::kRandomPoints};
  }
  Ball ratio;
  acb_div(ratio.get(), gold_value[0].get(), answer_value[0].get(), kPrecision);
  if (positive && !(ratio.is_real() && arb_is_positive(ratio.real())))
    return {Same::kNo, GradeReason::kRandomPoints};
  return {Same::kYes, GradeReason::kRandomPoints};
}

Outcome Comparer::compare_relations(const Reference& gold, const Reference& answer) {
  const Node& g = gold.node();
  const Node& a = answer.node();
  if (same_tree(gold, answer)) return {Same::kYes, GradeReason::kSymbolic};
  // Chains part by part, in either direction: f(2) < f(1) is f(1) > f(2).
  if (g.relations.size() == a.relations.size() && g.relations.size() > 1) {
    for (const bool backwards : {false, true}) {
      bool same = true;
      for (std::size_t i = 0; i < g.relations.size() && same; ++i) {
        same = g.relations[i] ==
               (backwards ? reversed(a.relations[a.relations.size() - 1 - i]) : a.relations[i]);
      }
      for (std::size_t i = 0; i < g.children.size() && same; ++i) {
        same =
            compare(gold.child(i), answer.child(backwards ? g.children.size() - 1 - i : i)).yes();
      }
      if (same) return {Same::kYes, GradeReason::kElements};
    }
  }
  const bool both_scalar = g.children.size() == 2 && a.children.size() == 2 &&
                           is_scalar(gold.child(0)) && is_scalar(gold.child(1)) &&
                           is_scalar(answer.child(0)) && is_scalar(answer.child(1));
  if (both_scalar && (is_single(gold, Relation::kEqual) || is_single(gold, Relation::kNotEqual)) &&
      g.relations[0] == a.relations[0]) {
    const Outcome outcome = proportional(gold, answer, false);
    if (outcome.yes()) return outcome;
  }
  if (both_scalar && is_inequality(g.relations[0]) && is_inequality(a.relations[0])) {
    const bool strict_gold =
        g.relations[0] == Relation::kLess || g.relations[0] == Relation::kGreater;
    const bool strict_answer =
        a.relations[0] == Relation::kLess || a.relations[0] == Relation::kGreater;
    if (strict_gold != strict_answer) return {Same::kNo, GradeReason::kStructure};
    const bool less_gold =
        g.relations[0] == Relation::kLess || g.relations[0] == Relation::kLessEqual;
    const bool less_answer =
        a.relations[0] == Relation::kLess || a.relations[0] == Relation::kLessEqual;
    if (less_gold == less_answer) return proportional(gold, answer, true);
    // Opposite directions: the factor must be negative, so not positive but proportional.
    if (!proportional(gold, answer, false).yes()) return {Same::kNo, GradeReason::kRandomPoints};
    const Outcome positive = proportional(gold, answer, true);
    return {positive.same == Same::kNo ? Same::kYes : Same::kNo, positive.reason};
  }
  // x = 1/2 = 0.5 against x = 1/2; f(x) = ... against y = ...
  Reference gold_value, answer_value;
  const bool named = g.relations[0] == Relation::kEqual ||
                     (g.relations[0] == Relation::kApproximately && g.relations == a.relations);
  if (named && a.relations[0] != Relation::kElementOf && strip_label(gold, gold_value) &&
      strip_label(answer, answer_value)) {
    const Reference gold_name = gold.child(0), answer_name = answer.child(0);
    const bool function_name = gold_name.node().kind == NodeKind::kMultiply ||
                               answer_name.node().kind == NodeKind::kMultiply ||
                               gold_name.node().kind == NodeKind::kText ||
                               answer_name.node().kind == NodeKind::kText;
    if (function_name || same_tree(gold_name, answer_name))
      return compare(gold_value, answer_value);
  }
  return {Same::kNo, GradeReason::kElements};
}

}  // namespace moebench
