#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "datasets/grading/tree.h"

namespace moebench {

/// What one grading may still spend; about 50 ns a unit on a 2 GHz core. A count, not a clock: the
/// verdict must not depend on how busy the machine is.
class Work {
 public:
  struct Exceeded {};
  explicit Work(long units) : left_(units) {}
  void spend(long units) {
    left_ -= units;
    if (left_ < 0) throw Exceeded{};
  }

 private:
  long left_;
};

/// A node seen with one reading of its ± signs (+1 or -1; 0 where it has none, or not chosen yet)
/// and of its percent signs (as 1/100 or as a unit).
struct Reference {
  const Tree* tree = nullptr;
  std::int32_t id = -1;
  int sign = 0;
  bool percent_is_hundredth = true;

  const Node& node() const { return tree->at(id); }
  Reference child(std::size_t i) const {
    Reference result = *this;
    result.id = node().children[i];
    return result;
  }
};

/// The names of the variables below a node.
std::set<std::string> variables(const Reference& expression);

bool contains_kind(const Reference& expression, NodeKind kind);

/// Exactly, where the expression is a rational number whose size stays within bounds.
bool evaluate_rational(const Reference& expression, Work& work, Rational& result);

/// In the field of 2^61 - 1 elements, with each variable at a pseudo-random point number `point`.
/// False where the expression is no rational function, or a denominator vanishes there.
bool evaluate_modular(const Reference& expression, int point, Work& work, std::uint64_t& result);

/// As a ball at `precision` bits, with each variable at a real point number `point`. False where
/// the expression is no number there (a pole, an unknown function).
bool evaluate_ball(const Reference& expression, int point, long precision, Work& work,
                   Ball& result);

}  // namespace moebench
