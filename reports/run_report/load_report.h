#pragma once

#include <span>
#include <string>

#include "reports/run_report/run_report.h"

namespace moebench {

/// "poisson 2 requests/s, 512 random tokens": when requests came and what they asked. Two load
/// tests with the same words were asked the same thing.
std::string load_words(const LoadRecord& load);
/// "concurrency 8", "poisson 2.5 requests/s, at most 4 in flight": the requests left out.
std::string arrival_words(const LoadRecord& load);

/// Every figure of every load test, one row a run, for other programs: identity, throughput, each
/// latency's mean and percentiles, goodput, cost. Keys carry their units; absent is absent.
Table load_figures(std::span<const LoadedRun> runs, const RunReportOptions& options);

/// The same for people: throughput by load, latency by load, what each metric means.
Document build_load_report(std::span<const LoadedRun> runs, const RunReportOptions& options);

}  // namespace moebench
