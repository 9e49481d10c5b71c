#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "reports/compare/compatibility.h"
#include "reports/metrics/run_cost.h"
#include "reports/render/document.h"
#include "reports/statistics/paired.h"
#include "reports/statistics/proportion.h"

namespace moebench {

struct CompareOptions {
  std::size_t baseline = 0;       ///< index of the run that the others are compared with
  double margin = 0.03;           ///< accuracies closer than this count as equivalent
  double alpha = 0.05;            ///< of every verdict, after Holm's correction over all of them
  bool allow_mismatch = false;    ///< compare runs of different prompts or sampling all the same
  bool thinking_budgets = false;  ///< runs differ in their limits of tokens on purpose: no mismatch
  std::optional<double> usd_per_hour = {};  ///< for every run, in place of the records' prices
  bool samples = true;                      ///< with the page of answers, side by side
};

enum class ComparisonVerdict {
  kBetter,        ///< the difference is real, and not within the margin
  kWorse,         ///< likewise
  kEquivalent,    ///< shown to lie within the margin (even where it is real)
  kInconclusive,  ///< neither could be shown
};
const char* to_string(ComparisonVerdict verdict);

/// One task of one run against the baseline's.
struct TaskComparison {
  std::string task;
  std::size_t candidate = 0;   ///< index into the runs
  bool paired = false;         ///< on the questions that both answered
  std::int64_t questions = 0;  ///< in the pairing; of the candidate where unpaired
  std::int64_t unmatched = 0;  ///< questions that only one of the two has
  ProportionEstimate baseline_accuracy, candidate_accuracy;  ///< over those questions
  DifferenceEstimate difference;                             ///< candidate - baseline
  std::string test;              ///< "exact McNemar", "paired permutation", "unpaired normal"
  double p = 1, adjusted_p = 1;  ///< of a difference; adjusted: Holm over all comparisons
  double equivalence_p = 1, adjusted_equivalence_p = 1;  ///< of lying beyond the margin
  std::optional<DiscordantCounts> discordant;            ///< single attempts; a: the baseline
  ComparisonVerdict verdict = ComparisonVerdict::kInconclusive;
  std::string because;  ///< one sentence
};

/// Compares every run with the baseline on every task that both ran; of load tests there is nothing
/// to compare, and a load test with an evaluation is refused. Throws Error(kConfiguration)
/// that lists what differs where runs of different task files, prompts or sampling meet (unless
/// allowed), and where two runs share no task; Error(kUsage) for fewer than two runs.
std::vector<TaskComparison> compare_accuracy(std::span<const LoadedRun> runs,
                                             const CompareOptions& options);

/// The whole report of a comparison.
Document build_comparison(std::span<const LoadedRun> runs, const CompareOptions& options = {});

}  // namespace moebench
