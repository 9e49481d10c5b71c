#pragma once

#include <span>
#include <string>
#include <vector>

#include "reports/record/record_files.h"

namespace moebench {

/// Something in which two runs differ that changes what their accuracies mean.
struct Mismatch {
  std::string task, what;           ///< "temperature", "prompt", "task file", "data"
  std::string baseline, candidate;  ///< the two values
  std::string candidate_label;
};

/// Every such difference of any run from the baseline, over the tasks that both ran: task, prompt
/// and data hashes, and the sampling settings (the seed excepted: it is chance, not protocol).
/// Without `with_budgets` the limits of output and of thinking tokens are left out.
std::vector<Mismatch> find_mismatches(std::span<const LoadedRun> runs, std::size_t baseline,
                                      bool with_budgets = true);

/// "gsm8k: temperature is 0 in a and 0.6 in b; ..." A sentence a mismatch.
std::string describe(const std::vector<Mismatch>& mismatches, const std::string& baseline_label);

/// The runs' labels; where two are the same, told apart by their thinking budgets if those differ,
/// else by a number.
std::vector<std::string> distinct_labels(std::span<const LoadedRun> runs);

}  // namespace moebench
