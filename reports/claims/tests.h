#pragma once

// The ways to test a claim, one function each, and what they share. Private to reports/claims.

#include "reports/claims/claims.h"

namespace moebench {

ClaimFinding not_testable(std::string why, std::string would_decide);

/// Is `name` the run's label, its model's name or its id?
bool is_named(const RunRecord& run, const std::string& name);
/// The first run of that name, or null.
const LoadedRun* find_run(std::span<const LoadedRun> runs, const std::string& name);

/// The verdict of "at most `test.limit`" on a ratio: by its interval, where there is one.
ClaimFinding judge_ratio(const ClaimTest& test, double ratio, std::optional<Interval> interval,
                         std::string evidence, Provenance provenance);

/// usd_per_output_token, usd_per_question and usd_per_correct, of runs that were both measured.
/// Runs under several loads (batch 1, batch 32) are held against each other load by load.
ClaimFinding test_run_cost(const ClaimTest& test, std::span<const LoadedRun> runs);

}  // namespace moebench
