#include "reports/metrics/question_terms.h"

namespace moebench {

TermsByQuestion question_terms(
    std::span<const SampleRecord> samples,
    const std::function<std::optional<RatioTerm>(const SampleRecord&)>& term_of) {
  TermsByQuestion terms;
  for (const SampleRecord& sample : samples) {
    const auto term = term_of(sample);
    if (!term) continue;
    RatioTerm& sum = terms[sample.task + "\n" + sample.question_id];
    sum.numerator += term->numerator;
    sum.denominator += term->denominator;
  }
  return terms;
}

}  // namespace moebench
