#include "datasets/grading/tree.h"

namespace moebench {
namespace {

std::string_view name_of(NodeKind kind) {
  switch (kind) {
    case NodeKind::kNumber:
      return "number";
    case NodeKind::kSymbol:
      return "symbol";
    case NodeKind::kPi:
      return "pi";
    case NodeKind::kEuler:
      return "e";
    case NodeKind::kImaginary:
      return "i";
    case NodeKind::kInfinity:
      return "infinity";
    case NodeKind::kAdd:
      return "+";
    case NodeKind::kMultiply:
      return "*";
    case NodeKind::kNegate:
      return "neg";
    case NodeKind::kDivide:
      return "/";
    case NodeKind::kPower:
      return "^";
    case NodeKind::kRoot:
      return "root";
    case NodeKind::kFunction:
      return "function";
    case NodeKind::kPlusMinus:
      return "+-";
    case NodeKind::kPercent:
      return "percent";
    case NodeKind::kDegree:
      return "degrees";
    case NodeKind::kQuantity:
      return "quantity";
    case NodeKind::kBase:
      return "base";
    case NodeKind::kRatio:
      return "ratio";
    case NodeKind::kTime:
      return "time";
    case NodeKind::kList:
      return "list";
    case NodeKind::kBracket:
      return "bracket";
    case NodeKind::kSet:
      return "set";
    case NodeKind::kUnion:
      return "union";
    case NodeKind::kIntersection:
      return "intersection";
    case NodeKind::kDifference:
      return "difference";
    case NodeKind::kMatrix:
      return "matrix";
    case NodeKind::kRelation:
      return "relation";
    case NodeKind::kText:
      return "text";
    case NodeKind::kChoice:
      return "choice";
    case NodeKind::kNoSolution:
      return "no-solution";
    case NodeKind::kAllReals:
      return "all-reals";
    case NodeKind::kEllipsis:
      return "ellipsis";
  }
  return "?";
}

std::string_view name_of(Function function) {
  static constexpr std::string_view kNames[] = {
      "none",     "sin",    "cos",    "tan",  "cot",       "sec",      "cis", "csc", "arcsin",
      "arccos",   "arctan", "arccot", "sinh", "cosh",      "tanh",     "exp", "ln",  "log10",
      "log-base", "abs",    "floor",  "ceil", "factorial", "binomial", "gcd", "max", "min"};
  return kNames[static_cast<std::size_t>(function)];
}

std::string_view name_of(Relation relation) {
  static constexpr std::string_view kNames[] = {"=", "!=", "<", "<=", ">", ">=", "in", "~"};
  return kNames[static_cast<std::size_t>(relation)];
}

}  // namespace

std::string to_string(const Tree& tree, std::int32_t id) {
  const Node& node = tree.at(id);
  if (node.kind == NodeKind::kNumber) return node.value.str();
  if (node.kind == NodeKind::kSymbol) return node.text;
  std::string out(node.kind == NodeKind::kFunction ? name_of(node.function) : name_of(node.kind));
  if (node.kind == NodeKind::kMatrix) out += "[" + std::to_string(node.base) + " rows]";
  if (node.kind == NodeKind::kBase) out += " " + node.text + " in " + std::to_string(node.base);
  if (node.kind == NodeKind::kTime) out += " " + std::to_string(node.base) + " min";
  if (node.kind == NodeKind::kBracket) out = std::string("bracket") + node.open + node.close;
  if (node.kind == NodeKind::kQuantity || node.kind == NodeKind::kText ||
      node.kind == NodeKind::kChoice) {
    out += " \"" + node.text + "\"";
  }
  for (const Relation relation : node.relations) {
    out += ' ';
    out += name_of(relation);
  }
  if (node.children.empty()) return out;
  for (const std::int32_t child : node.children) out += " " + to_string(tree, child);
  return "(" + out + ")";
}

}  // namespace moebench
