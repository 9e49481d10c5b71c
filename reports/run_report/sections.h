#pragma once

// The sections of a run's report, one function each. Private to reports/run_report, but for what
// reports/compare shares.

#include "reports/run_report/run_report.h"

namespace moebench {

Section accuracy_section(const LoadedRun& run);
Section speed_section(const LoadedRun& run, const RunReportOptions& options);
Section cost_section(const LoadedRun& run, const RunReportOptions& options);
/// Empty of blocks where the record has no expert load.
Section experts_section(const LoadedRun& run);
Section samples_section(const LoadedRun& run, const RunReportOptions& options);
Section method_section(const LoadedRun& run);

/// The heat map of one run with its table.
Figure expert_load_figure(const RunRecord& run, const std::string& id);

}  // namespace moebench
