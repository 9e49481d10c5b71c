#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reports/statistics/bootstrap.h"

namespace moebench {

/// The terms of one run, by a key that names the question (its task included).
using TermsByQuestion = std::map<std::string, RatioTerm>;

/// The terms of two runs on the questions that both have, in the order of the keys: a[i] and b[i]
/// belong to one question.
struct PairedTerms {
  std::vector<RatioTerm> a, b;
  RatioTerm sum_a, sum_b;

  /// ratio(a) / ratio(b), each the sum of its numerators over that of its denominators. Absent for
  /// fewer than two common questions and where a sum that is divided by is not positive.
  std::optional<double> ratio_of_ratios() const;
};
PairedTerms join_terms(const TermsByQuestion& a, const TermsByQuestion& b);

}  // namespace moebench
