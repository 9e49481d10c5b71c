#include "reports/statistics/paired_terms.h"

namespace moebench {

std::optional<double> PairedTerms::ratio_of_ratios() const {
  if (a.size() < 2) return std::nullopt;
  if (!(sum_a.denominator > 0 && sum_b.denominator > 0 && sum_b.numerator > 0)) return std::nullopt;
  return sum_a.numerator / sum_a.denominator / (sum_b.numerator / sum_b.denominator);
}

PairedTerms join_terms(const TermsByQuestion& a, const TermsByQuestion& b) {
  PairedTerms joined;
  const auto add = [](RatioTerm& sum, std::vector<RatioTerm>& terms, const RatioTerm& term) {
    terms.push_back(term);
    sum.numerator += term.numerator;
    sum.denominator += term.denominator;
  };
  for (const auto& [question, term] : a) {
    const auto it = b.find(question);
    if (it == b.end()) continue;
    add(joined.sum_a, joined.a, term);
    add(joined.sum_b, joined.b, it->second);
  }
  return joined;
}

}  // namespace moebench
