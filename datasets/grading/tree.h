#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/grading/numbers.h"

namespace moebench {

/// What an answer says. Scalars first, then the shapes that hold them.
enum class NodeKind : std::uint8_t {
  kNumber,  ///< value; decimals >= 0 where it was written with a decimal point
  kSymbol,  ///< text: the variable's name
  kPi,
  kEuler,
  kImaginary,
  kInfinity,
  kAdd,       ///< n children
  kMultiply,  ///< n children; application: written f(x), so the left side may be a name
  kNegate,
  kDivide,     ///< numerator, denominator
  kPower,      ///< base, exponent
  kRoot,       ///< radicand, index: the real root of a negative number where the index is odd
  kFunction,   ///< function, 1 or 2 children
  kPlusMinus,  ///< child with either sign; flag: minus-plus
  kPercent,
  kDegree,
  kQuantity,  ///< a number with a unit (text) or a currency
  kBase,      ///< text: the digits; base
  kRatio,     ///< a : b (: c)
  kTime,      ///< minutes since midnight in `base`; flag: a.m. or p.m. was said
  kList,      ///< values joined by commas (joiner ',') or by "and" / "or"
  kBracket,   ///< tuple, point, vector or interval: open and close as written
  kSet,       ///< {a, b}
  kUnion,
  kIntersection,
  kDifference,  ///< set minus set
  kMatrix,      ///< rows x (children / rows), row by row; flag: a sum of unit vectors
  kRelation,    ///< a op b op c; relations has one less than children
  kText,
  kChoice,      ///< text: the letter; the child, if any, is the value that stands behind it
  kNoSolution,  ///< the empty set, "no solution", "none"
  kAllReals,
  kEllipsis,  ///< "..." in a list
};

enum class Function : std::uint8_t {
  kNone,
  kSin,
  kCos,
  kTan,
  kCot,
  kSec,
  kCis,  ///< cos + i sin
  kCsc,
  kArcsin,
  kArccos,
  kArctan,
  kArccot,
  kSinh,
  kCosh,
  kTanh,
  kExp,
  kLn,
  kLog10,
  kLogBase,
  kAbs,
  kFloor,
  kCeil,
  kFactorial,
  kBinomial,
  kGcd,
  kMax,
  kMin,
};

enum class Relation : std::uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kElementOf,
  kApproximately
};

struct Node {
  NodeKind kind = NodeKind::kNumber;
  Function function = Function::kNone;
  bool flag = false;
  char open = 0, close = 0, joiner = 0;
  std::int8_t axis = -1;  ///< 0 to 2 of a letter that was written as a unit vector
  std::int32_t decimals = -1;
  std::int32_t base = 0;  ///< of kBase; rows of kMatrix; minutes of kTime
  Rational value;
  std::string text;
  std::vector<std::int32_t> children;
  std::vector<Relation> relations;
};

/// Nodes refer to each other by index; children come before their parents.
struct Tree {
  std::vector<Node> nodes;
  std::int32_t root = -1;

  const Node& at(std::int32_t id) const { return nodes[static_cast<std::size_t>(id)]; }
};

/// The tree in one line, as an s-expression, for --explain and for tests.
std::string to_string(const Tree& tree, std::int32_t id);

}  // namespace moebench
