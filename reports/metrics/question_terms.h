#pragma once

#include <functional>
#include <optional>
#include <span>

#include "reports/record/sample_record.h"
#include "reports/statistics/paired_terms.h"

namespace moebench {

/// Sums what `term_of` says of each attempt by (task, question); attempts of which it says nothing
/// add nothing.
TermsByQuestion question_terms(
    std::span<const SampleRecord> samples,
    const std::function<std::optional<RatioTerm>(const SampleRecord&)>& term_of);

}  // namespace moebench
