#include "datasets/grading/compare.h"

#include <algorithm>
#include <numeric>

#include "datasets/grading/phrases.h"

namespace moebench {

/// A ± anywhere below that has not been given a sign yet.
bool Comparer::is_list(const Reference& e) const {
  const NodeKind kind = e.node().kind;
  if (kind == NodeKind::kList || kind == NodeKind::kSet) return true;
  return e.sign == 0 && contains_kind(e, NodeKind::kPlusMinus);
}

/// The values of a list or set; a ± gives two, and "x = 1, 2" or "x = 1 or x = 2" loses the name.
std::vector<Reference> Comparer::flatten(const Reference& e) {
  std::vector<Reference> values;
  const NodeKind kind = e.node().kind;
  if (kind == NodeKind::kList || kind == NodeKind::kSet) {
    for (std::size_t i = 0; i < e.node().children.size(); ++i) {
      const std::vector<Reference> inner = flatten(e.child(i));
      values.insert(values.end(), inner.begin(), inner.end());
    }
  } else if (e.sign == 0 && contains_kind(e, NodeKind::kPlusMinus)) {
    for (const int sign : {1, -1}) {
      Reference value = e;
      value.sign = sign;
      values.push_back(value);
    }
  } else {
    values.push_back(e);
  }
  work_.spend(static_cast<long>(values.size()));
  return values;
}

/// Without the values that stand there already: {1, 1, 2}, and "1/2 or 0.5".
std::vector<Reference> Comparer::without_repeats(const std::vector<Reference>& values) {
  std::vector<Reference> kept;
  for (const Reference& value : values) {
    const bool seen = std::any_of(kept.begin(), kept.end(),
                                  [&](const Reference& e) { return compare(e, value).yes(); });
    if (!seen) kept.push_back(value);
  }
  return kept;
}

Outcome Comparer::compare_lists(const std::vector<Reference>& gold,
                                const std::vector<Reference>& answer) {
  if (gold.size() != answer.size()) return {Same::kNo, GradeReason::kStructure};
  std::vector<bool> used(answer.size(), false);
  Outcome last{Same::kYes, GradeReason::kElements};
  for (const Reference& value : gold) {
    bool found = false;
    for (std::size_t i = 0; i < answer.size() && !found; ++i) {
      if (used[i]) continue;
      work_.spend(2);
      const Outcome outcome = compare(value, answer[i]);
      if (outcome.yes()) {
        used[i] = true;
        found = true;
      }
    }
    if (!found) return {Same::kNo, GradeReason::kElements};
  }
  return last;
}

Outcome Comparer::compare_in_order(const Reference& gold, const Reference& answer) {
  const std::size_t count = std::min(gold.node().children.size(), answer.node().children.size());
  // i - j of unit vectors may lie in the plane or in space.
  const auto flat = [](const Reference& units, const Reference& other) {
    const Node& last = other.child(2).node();
    return units.node().kind == NodeKind::kMatrix && units.node().flag &&
           last.kind == NodeKind::kNumber && last.value.is_zero();
  };
  if (gold.node().children.size() != answer.node().children.size() &&
      !(count == 2 && answer.node().children.size() == 3 && flat(gold, answer)) &&
      !(count == 2 && gold.node().children.size() == 3 && flat(answer, gold)))
    return {Same::kNo, GradeReason::kStructure};
  for (std::size_t i = 0; i < count; ++i) {
    const Outcome outcome = compare(gold.child(i), answer.child(i));
    if (!outcome.yes()) return {outcome.same, GradeReason::kElements};
  }
  return {Same::kYes, GradeReason::kElements};
}

Outcome Comparer::compare_matrices(const Reference& gold, const Reference& answer) {
  const auto rows = [](const Reference& e) { return static_cast<std::size_t>(e.node().base); };
  const auto columns = [&](const Reference& e) { return e.node().children.size() / rows(e); };
  const bool gold_matrix = gold.node().kind == NodeKind::kMatrix;
  const bool answer_matrix = answer.node().kind == NodeKind::kMatrix;
  if (gold_matrix && answer_matrix) {
    const bool units = gold.node().flag || answer.node().flag;
    if ((rows(gold) != rows(answer) && !units) || columns(gold) != columns(answer))
      return {Same::kNo, GradeReason::kStructure};
    return compare_in_order(gold, answer);
  }
  // A vector may be written as a column, a row or a tuple; a matrix as a tuple of rows,
  // [[1,2],[3,4]].
  const Reference& matrix = gold_matrix ? gold : answer;
  const Reference& tuple = gold_matrix ? answer : gold;
  const bool nested = tuple.node().kind == NodeKind::kBracket && !tuple.node().children.empty() &&
                      tuple.child(0).node().kind == NodeKind::kBracket;
  if (nested) {
    if (tuple.node().children.size() != rows(matrix)) return {Same::kNo, GradeReason::kStructure};
    std::size_t entry = 0;
    for (std::size_t row = 0; row < rows(matrix); ++row) {
      const Reference line = tuple.child(row);
      if (line.node().kind != NodeKind::kBracket ||
          line.node().children.size() != columns(matrix)) {
        return {Same::kNo, GradeReason::kStructure};
      }
      for (std::size_t column = 0; column < columns(matrix); ++column, ++entry) {
        const Reference in_matrix = matrix.child(entry), in_line = line.child(column);
        if (!compare(gold_matrix ? in_matrix : in_line, gold_matrix ? in_line : in_matrix).yes())
          return {Same::kNo, GradeReason::kElements};
      }
    }
    return {Same::kYes, GradeReason::kElements};
  }
  const bool vector = rows(matrix) == 1 || columns(matrix) == 1;
  if (!vector || tuple.node().kind != NodeKind::kBracket ||
      (tuple.node().open == '[') != (tuple.node().close == ']')) {
    return {Same::kNo, GradeReason::kStructure};
  }
  return compare_in_order(gold, answer);
}

/// A choice letter, perhaps with its value: (C) 12.
Outcome Comparer::compare_choice(const Reference& gold, const Reference& answer) {
  const bool gold_choice = gold.node().kind == NodeKind::kChoice;
  const bool answer_choice = answer.node().kind == NodeKind::kChoice;
  if (gold_choice && answer_choice) {
    return {gold.node().text == answer.node().text ? Same::kYes : Same::kNo, GradeReason::kText};
  }
  const Reference& choice = gold_choice ? gold : answer;
  const Reference& other = gold_choice ? answer : gold;
  if (other.node().kind == NodeKind::kSymbol || other.node().kind == NodeKind::kText) {
    const std::string& text = other.node().text;
    const bool same_letter = text.size() == 1 && (text[0] & ~0x20) == choice.node().text[0];
    if (text == choice.node().text || (gold_choice && same_letter))
      return {Same::kYes, GradeReason::kText};
  }
  if (choice.node().children.empty()) return {Same::kNo, GradeReason::kText};
  return gold_choice ? compare(gold.child(0), answer) : compare(gold, answer.child(0));
}

bool Comparer::is_named_point(const Reference& e) const {
  const Node& node = e.node();
  if (node.kind != NodeKind::kMultiply || !node.flag || node.children.size() != 2) return false;
  const Node& name = e.child(0).node();
  return name.kind == NodeKind::kSymbol && name.text.size() == 1 && name.text[0] >= 'A' &&
         name.text[0] <= 'Z' && e.child(1).node().kind == NodeKind::kBracket;
}

Outcome Comparer::compare(const Reference& gold, const Reference& answer) {
  work_.spend(1);
  const NodeKind g = gold.node().kind;
  const NodeKind a = answer.node().kind;
  const auto either = [&](NodeKind kind) { return g == kind || a == kind; };

  if (either(NodeKind::kChoice)) return compare_choice(gold, answer);
  if (either(NodeKind::kText)) {
    if (a == NodeKind::kRelation) {
      Reference value;
      if (strip_label(answer, value)) return compare(gold, value);
    }
    const bool same = g == a && plain_words(gold.node().text) == plain_words(answer.node().text);
    return {same ? Same::kYes : Same::kNo, GradeReason::kText};
  }
  if (either(NodeKind::kNoSolution) && g == a) return {Same::kYes, GradeReason::kText};
  if (either(NodeKind::kNoSolution)) {  // {{}} is not {}
    const Node& other = g == NodeKind::kNoSolution ? answer.node() : gold.node();
    if (other.kind == NodeKind::kSet) return {Same::kNo, GradeReason::kStructure};
  }
  // A point with its name in front: P(3, -2).
  if (g == NodeKind::kBracket && is_named_point(answer)) return compare(gold, answer.child(1));
  if (a == NodeKind::kBracket && is_named_point(gold)) return compare(gold.child(1), answer);
  if (either(NodeKind::kEllipsis))
    return {g == a ? Same::kYes : Same::kNo, GradeReason::kStructure};
  if (either(NodeKind::kTime)) {
    if (g == a)
      return {gold.node().base == answer.node().base ? Same::kYes : Same::kNo, GradeReason::kText};
    // 4:30 without its half of the day, 9 for 9 a.m.
    const Reference& time = g == NodeKind::kTime ? gold : answer;
    const Reference& other = g == NodeKind::kTime ? answer : gold;
    Rational hours, minutes;
    const int shown_hours = (time.node().base / 60 + 11) % 12 + 1;
    if (other.node().kind == NodeKind::kRatio && other.node().children.size() == 2 &&
        evaluate_rational(other.child(0), work_, hours) &&
        evaluate_rational(other.child(1), work_, minutes)) {
      const bool same =
          minutes == Rational(time.node().base % 60) &&
          (hours == Rational(shown_hours) || hours == Rational(time.node().base / 60));
      return {same ? Same::kYes : Same::kNo, GradeReason::kText};
    }
    const bool same = time.node().base % 60 == 0 && other.node().kind == NodeKind::kNumber &&
                      evaluate_rational(other, work_, hours) && hours == Rational(shown_hours);
    return {same ? Same::kYes : Same::kNo, GradeReason::kText};
  }
  if (either(NodeKind::kBase)) {
    Reference value;
    if (a == NodeKind::kRelation && strip_label(answer, value)) return compare(gold, value);
    if (g == NodeKind::kRelation && strip_label(gold, value)) return compare(value, answer);
    if (g == NodeKind::kNegate && a == NodeKind::kNegate)
      return compare(gold.child(0), answer.child(0));
    const bool same =
        g == a && gold.node().base == answer.node().base && gold.node().text == answer.node().text;
    return {same ? Same::kYes : Same::kNo, GradeReason::kStructure};
  }

  // Sets of reals: an interval against an inequality, unions in any order.
  const bool both_brackets = g == NodeKind::kBracket && a == NodeKind::kBracket;
  if (!both_brackets &&
      (looks_like_real_set(gold) || looks_like_real_set(answer) || either(NodeKind::kNoSolution))) {
    RealSet gold_set, answer_set;
    if (to_real_set(gold, gold_set) && to_real_set(answer, answer_set))
      return compare_real_sets(gold_set, answer_set);
    if (either(NodeKind::kUnion) || either(NodeKind::kIntersection) ||
        either(NodeKind::kDifference)) {
      if (g != a) {
        Reference value;
        if (a == NodeKind::kRelation && strip_label(answer, value)) return compare(gold, value);
        if (g == NodeKind::kRelation && strip_label(gold, value)) return compare(value, answer);
        return {Same::kNo, GradeReason::kStructure};
      }
      if (g == NodeKind::kDifference) return compare_in_order(gold, answer);
      std::vector<Reference> left, right;
      for (std::size_t i = 0; i < gold.node().children.size(); ++i) left.push_back(gold.child(i));
      for (std::size_t i = 0; i < answer.node().children.size(); ++i)
        right.push_back(answer.child(i));
      return compare_lists(left, right);
    }
  }

  if (is_list(gold) || is_list(answer)) {
    // x in {1, 2}
    Reference value;
    if (a == NodeKind::kRelation && !is_list(answer.child(0)) && strip_label(answer, value) &&
        value.node().kind != NodeKind::kPlusMinus && is_list(value) && g != NodeKind::kRelation)
      return compare(gold, value);
    if (g == NodeKind::kRelation && a != NodeKind::kRelation && !is_list(gold.child(0)) &&
        strip_label(gold, value) && is_list(value))
      return compare(value, answer);
    if (a == NodeKind::kRelation && !is_list(answer) && strip_label(answer, value) &&
        value.node().kind == NodeKind::kBracket &&
        answer.child(0).node().kind == NodeKind::kBracket)
      return compare(gold, value);  // (a, b) = (1, 2)
    if (g == NodeKind::kRelation && !is_list(gold) && strip_label(gold, value) &&
        value.node().kind == NodeKind::kBracket && gold.child(0).node().kind == NodeKind::kBracket)
      return compare(value, answer);
    std::vector<Reference> left = flatten(gold), right = flatten(answer);
    const auto drop_names = [&](std::vector<Reference>& values) {
      if (values.empty() || values[0].node().kind != NodeKind::kRelation) return;
      Reference first;
      if (!strip_label(values[0], first)) return;
      const Reference name = values[0].child(0);
      std::vector<Reference> bare{first};
      for (std::size_t i = 1; i < values.size(); ++i) {
        if (values[i].node().kind != NodeKind::kRelation) {
          bare.push_back(values[i]);
          continue;
        }
        Reference next;
        if (!strip_label(values[i], next)) return;
        const Reference other = values[i].child(0);
        // x_1 = 1, x_2 = 2 name the same unknown; x = 1, y = 2 do not.
        const std::string& a_name = name.node().text;
        const std::string& b_name = other.node().text;
        const bool same =
            same_tree(name, other) ||
            (name.node().kind == NodeKind::kSymbol && other.node().kind == NodeKind::kSymbol &&
             a_name.find('_') != std::string::npos &&
             a_name.substr(0, a_name.find('_')) == b_name.substr(0, b_name.find('_')));
        if (!same) return;
        bare.push_back(next);
      }
      values = std::move(bare);
    };
    // A point against "x = 1, y = 2": by the order of the names.
    const auto named_point = [&](const Reference& list, const Reference& point,
                                 std::vector<Reference>& values) {
      if (list.node().kind != NodeKind::kList || point.node().kind != NodeKind::kBracket ||
          list.node().children.size() != point.node().children.size()) {
        return false;
      }
      std::vector<std::pair<std::string, Reference>> named;
      for (std::size_t i = 0; i < list.node().children.size(); ++i) {
        const Reference part = list.child(i);
        Reference bare;
        if (part.node().kind != NodeKind::kRelation ||
            part.child(0).node().kind != NodeKind::kSymbol || !strip_label(part, bare)) {
          return false;
        }
        named.emplace_back(part.child(0).node().text, bare);
      }
      std::stable_sort(named.begin(), named.end(),
                       [](const auto& x, const auto& y) { return x.first < y.first; });
      for (std::size_t i = 0; i < named.size(); ++i) {
        if (i > 0 && named[i].first == named[i - 1].first) return false;
        values.push_back(named[i].second);
      }
      return true;
    };
    if (std::vector<Reference> values;
        named_point(answer, gold, values) || named_point(gold, answer, values)) {
      const bool gold_point = g == NodeKind::kBracket;
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (!compare(gold_point ? gold.child(i) : values[i],
                     gold_point ? values[i] : answer.child(i))
                 .yes()) {
          return {Same::kNo, GradeReason::kElements};
        }
      }
      return {Same::kYes, GradeReason::kElements};
    }
    const bool gold_named = !left.empty() && left[0].node().kind == NodeKind::kRelation;
    const bool answer_named = !right.empty() && right[0].node().kind == NodeKind::kRelation;
    if (gold_named && answer_named) {
      const Outcome outcome = compare_lists(left, right);
      if (outcome.yes()) return outcome;
    }
    drop_names(left);
    drop_names(right);
    const auto may_repeat = [](const Node& node) {
      return node.kind == NodeKind::kSet || (node.kind == NodeKind::kList && node.joiner == 'o');
    };
    if (may_repeat(answer.node()) && right.size() > left.size()) right = without_repeats(right);
    if (may_repeat(gold.node()) && left.size() > right.size()) left = without_repeats(left);
    if (left.size() == 1 && right.size() == 1) {
      // A set of one value counts as the value.
      if (is_list(left[0]) || is_list(right[0])) return {Same::kNo, GradeReason::kStructure};
      return compare(left[0], right[0]);
    }
    return compare_lists(left, right);
  }

  if (g == NodeKind::kRelation && a == NodeKind::kRelation) return compare_relations(gold, answer);
  Reference value;
  if (a == NodeKind::kRelation) {
    return strip_label(answer, value) ? compare(gold, value)
                                      : Outcome{Same::kNo, GradeReason::kStructure};
  }
  if (g == NodeKind::kRelation) {
    // x + y = 5 is a line, not a name for 5.
    return names_its_value(gold) && strip_label(gold, value)
               ? compare(value, answer)
               : Outcome{Same::kNo, GradeReason::kStructure};
  }
  if (either(NodeKind::kMatrix)) return compare_matrices(gold, answer);
  if (both_brackets) {
    const bool pair = gold.node().children.size() == 2;
    const bool same_ends =
        gold.node().open == answer.node().open && gold.node().close == answer.node().close;
    if (pair && !same_ends) return {Same::kNo, GradeReason::kStructure};
    return compare_in_order(gold, answer);
  }
  if (either(NodeKind::kRatio)) {
    const std::size_t parts = (g == NodeKind::kRatio ? gold : answer).node().children.size();
    if (parts == 2) {
      Rational g0, g1, a0, a1;
      const auto fraction = [&](const Reference& e, Rational& top, Rational& bottom) {
        if (e.node().kind == NodeKind::kRatio) {
          return e.node().children.size() == 2 && evaluate_rational(e.child(0), work_, top) &&
                 evaluate_rational(e.child(1), work_, bottom);
        }
        bottom = Rational(1);
        return is_scalar(e) && evaluate_rational(e, work_, top);
      };
      if (fraction(gold, g0, g1) && fraction(answer, a0, a1)) {
        fmpq_mul(g0.get(), g0.get(), a1.get());
        fmpq_mul(a0.get(), a0.get(), g1.get());
        return {g0 == a0 && !g1.is_zero() && !a1.is_zero() ? Same::kYes : Same::kNo,
                GradeReason::kRational};
      }
    }
    if (g != a) return {Same::kNo, GradeReason::kStructure};
    if (parts == 2 && answer.node().children.size() == 2 && variables(gold).empty() &&
        variables(answer).empty()) {
      return compare_constants(gold, answer);  // 1 : sqrt 2
    }
    const Outcome direct = compare_in_order(gold, answer);
    if (direct.yes() || gold.node().children.size() != answer.node().children.size()) return direct;
    // 2 : 4 : 6 is 1 : 2 : 3
    Rational g0, a0;
    if (!evaluate_rational(gold.child(0), work_, g0) ||
        !evaluate_rational(answer.child(0), work_, a0))
      return direct;
    for (std::size_t i = 1; i < parts; ++i) {
      Rational gi, ai;
      if (!evaluate_rational(gold.child(i), work_, gi) ||
          !evaluate_rational(answer.child(i), work_, ai))
        return direct;
      fmpq_mul(gi.get(), gi.get(), a0.get());
      fmpq_mul(ai.get(), ai.get(), g0.get());
      if (!(gi == ai)) return direct;
    }
    return {g0.is_zero() == a0.is_zero() ? Same::kYes : Same::kNo, GradeReason::kRational};
  }
  if (is_scalar(gold) && is_scalar(answer)) return compare_scalars(gold, answer);
  return {Same::kNo, GradeReason::kStructure};
}

}  // namespace moebench
