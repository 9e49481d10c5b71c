#pragma once

// The sections of a comparison, one function each. Private to reports/compare.

#include "reports/compare/comparison.h"

namespace moebench {

/// The runs with what every section needs of them.
struct ComparedRuns {
  std::span<const LoadedRun> runs;
  std::vector<std::string> labels;
  CompareOptions options;
  std::vector<std::optional<RunCost>> costs;  ///< one a run
};

Section verdict_section(const ComparedRuns& compared,
                        const std::vector<TaskComparison>& comparisons);
Section breakdown_section(const ComparedRuns& compared);
Section speed_comparison_section(const ComparedRuns& compared);
Section cost_comparison_section(const ComparedRuns& compared);
Section trade_off_section(const ComparedRuns& compared);
/// Empty of blocks where all runs have the same budget of thinking tokens.
Section thinking_budget_section(const ComparedRuns& compared);
Section experts_comparison_section(const ComparedRuns& compared);
Section disagreement_section(const ComparedRuns& compared);
Section differences_section(const ComparedRuns& compared);

/// Accuracy over all of a run's attempts.
ProportionEstimate overall_accuracy(const LoadedRun& run);

}  // namespace moebench
