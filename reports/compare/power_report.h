#pragma once

#include <optional>
#include <span>

#include "reports/record/record_files.h"
#include "reports/render/document.h"
#include "reports/statistics/power.h"

namespace moebench {

/// How alike two runs end question by question: the correlation of their scores over the questions
/// that both answered. Absent where there are fewer than 10 or one of them never varies.
std::optional<double> measured_agreement(const LoadedRun& a, const LoadedRun& b);

/// Share of a run's variance that lies between questions (one-way analysis of variance); absent for
/// single attempts.
std::optional<double> measured_between_share(const LoadedRun& run);

/// How many questions differences from 1 to 10 points need, what the usual tasks can find, and how
/// many questions equivalence within `margin` needs. Terms that the runs tell are taken from them:
/// the accuracy of the first, the agreement of the first two.
Document build_power_report(PowerPlan plan, double margin, std::span<const LoadedRun> runs);

}  // namespace moebench
