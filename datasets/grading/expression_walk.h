#pragma once

#include "datasets/grading/evaluate.h"

namespace moebench {

/// Walks an expression once for every number type: an Evaluator says how its Value is made, added,
/// multiplied, divided, raised; the walk says what the nodes mean (signs, percent, units). Each
/// operation returns false where there is no value.
///
/// An Evaluator has: cost(), number, constant (pi, e, i), symbol, degree, percent, negate, add,
/// multiply, divide, power, root, function, and `kRatioIsQuotient`.
template <class Evaluator, class Value>
class ExpressionWalk {
 public:
  bool run(const Reference& e, Value& out) {
    Evaluator& self = static_cast<Evaluator&>(*this);
    const Node& node = e.node();
    self.work.spend(self.cost());
    switch (node.kind) {
      case NodeKind::kNumber:
        return self.number(node.value, out);
      case NodeKind::kSymbol:
        return self.symbol(node.text, out);
      case NodeKind::kPi:
      case NodeKind::kEuler:
      case NodeKind::kImaginary:
        return self.constant(node.kind, out);
      case NodeKind::kQuantity:
        return run(e.child(0), out);
      case NodeKind::kDegree:
        return run(e.child(0), out) && self.degree(out);
      case NodeKind::kPercent:
        return run(e.child(0), out) && self.percent(e.percent_is_hundredth, out);
      case NodeKind::kNegate:
        return run(e.child(0), out) && self.negate(out);
      case NodeKind::kPlusMinus:
        if (e.sign == 0 || !run(e.child(0), out)) return false;
        return (e.sign < 0) == node.flag || self.negate(out);
      case NodeKind::kAdd:
      case NodeKind::kMultiply: {
        if (!run(e.child(0), out)) return false;
        Value next{};
        for (std::size_t i = 1; i < node.children.size(); ++i) {
          if (!run(e.child(i), next)) return false;
          if (!(node.kind == NodeKind::kAdd ? self.add(out, next) : self.multiply(out, next)))
            return false;
        }
        return true;
      }
      case NodeKind::kRatio:
        if (!Evaluator::kRatioIsQuotient || node.children.size() != 2) return false;
        [[fallthrough]];
      case NodeKind::kDivide: {
        Value denominator{};
        return run(e.child(0), out) && run(e.child(1), denominator) &&
               self.divide(out, denominator);
      }
      case NodeKind::kPower:
        return self.power(e, out);
      case NodeKind::kRoot:
        return self.root(e, out);
      case NodeKind::kFunction:
        return self.function(e, out);
      default:
        return false;
    }
  }
};

/// A pseudo-random 64-bit value for a variable at a point; the same in every number type.
std::uint64_t point_hash(const std::string& name, int point);

}  // namespace moebench
