#pragma once

#include <optional>
#include <span>
#include <string>

#include "reports/metrics/latency.h"
#include "reports/record/record_files.h"
#include "reports/render/document.h"

namespace moebench {

struct RunReportOptions {
  std::optional<double> usd_per_hour = {};   ///< overrides the record's price of the machine
  std::optional<ServiceLevel> goodput = {};  ///< limits for a goodput row
  bool samples = true;                       ///< with the page of answers
};

/// What one run found: accuracy with intervals, speed, cost, where the experts' load went, the
/// answers, and how all of it was measured. A pure function of the record; a run without a single
/// sample gives a report that says so.
Document build_run_report(const LoadedRun& run, const RunReportOptions& options = {});

/// The same as a few lines for the end of a run on a console: headlines, accuracy, speed, cost.
Document build_run_summary(const LoadedRun& run, const RunReportOptions& options = {});

/// "canary q8_0", "canary (bf16)": the run's label, else its model and weights, else its id.
std::string run_label(const RunRecord& run);

}  // namespace moebench
