#pragma once

#include <string>
#include <vector>

#include "datasets/grading/equivalence.h"
#include "datasets/grading/evaluate.h"
#include "datasets/grading/tree.h"

namespace moebench {

enum class Same : std::uint8_t { kNo, kYes, kUnknown };

struct Outcome {
  Same same = Same::kNo;
  GradeReason reason = GradeReason::kStructure;

  bool yes() const { return same == Same::kYes; }
};

/// One end of an interval of the reals.
struct End {
  int infinite = 0;  ///< -1, 0 or +1
  Reference value;   ///< where it is finite
  bool closed = false;
};

struct Piece {
  End low, high;
};

/// A set of reals: disjoint pieces in rising order once normalised.
struct RealSet {
  std::vector<Piece> pieces;
  std::string variable;  ///< named by an inequality; empty if none was
};

/// Compares two trees. `gold` and `answer` are not interchangeable: see equivalence.h.
class Comparer {
 public:
  Comparer(const EquivalenceOptions& options, Work& work) : options_(options), work_(work) {}

  Outcome compare(const Reference& gold, const Reference& answer);

 private:
  // compare.cpp: shapes
  Outcome compare_lists(const std::vector<Reference>& gold, const std::vector<Reference>& answer);
  Outcome compare_in_order(const Reference& gold, const Reference& answer);
  Outcome compare_matrices(const Reference& gold, const Reference& answer);
  Outcome compare_choice(const Reference& gold, const Reference& answer);
  bool is_list(const Reference& e) const;
  bool is_named_point(const Reference& e) const;
  std::vector<Reference> without_repeats(const std::vector<Reference>& values);
  std::vector<Reference> flatten(const Reference& e);

  // relations.cpp
  Outcome compare_relations(const Reference& gold, const Reference& answer);
  Outcome proportional(const Reference& gold, const Reference& answer, bool positive);
  bool is_label(const Reference& e) const;
  bool names_its_value(const Reference& gold) const;
  /// `x = 5` -> 5; false where the left side is no mere name, or a chain contradicts itself.
  bool strip_label(const Reference& e, Reference& value);

  // scalars.cpp
  Outcome compare_scalars(const Reference& gold, const Reference& answer);
  Outcome compare_values(const Reference& gold, const Reference& answer);
  Outcome compare_constants(const Reference& gold, const Reference& answer);
  Outcome compare_at_points(const Reference& gold, const Reference& answer);
  bool within_gold_precision(const Reference& gold, const Reference& answer);
  bool is_scalar(const Reference& e) const;

  // real_sets.cpp
  bool looks_like_real_set(const Reference& e) const;
  bool to_real_set(const Reference& e, RealSet& set);
  bool relation_to_real_set(const Reference& e, RealSet& set);
  bool list_to_real_set(const Reference& e, RealSet& set);
  Outcome compare_real_sets(const RealSet& gold, const RealSet& answer);
  bool make_end(const Reference& e, bool closed, End& end);
  int order(const End& a, const End& b);
  void normalise(RealSet& set);
  RealSet intersect(const RealSet& a, const RealSet& b);
  RealSet complement(const RealSet& set);

  const EquivalenceOptions& options_;
  Work& work_;
};

/// The same expression, node by node.
bool same_tree(const Reference& a, const Reference& b);

}  // namespace moebench
