#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reports/gate/gate_file.h"
#include "reports/gate/timing.h"

namespace moebench {

/// Several measurements of one figure on each side, made at different times.
struct UnpairedFigure {
  GatedMetric metric;
  std::vector<double> baseline, candidate;  ///< positive
};

/// Decides as decide_timing does, from the exact rank-sum interval at tail alpha / figures. Too few
/// measurements for that level: inconclusive, and the reason says how many it takes.
std::vector<TimingFinding> decide_unpaired(std::span<const UnpairedFigure> figures, double alpha);

/// Timings of stored runs.
///
/// Several records a side, made in turn (their start times are mixed): decide_unpaired. Else the
/// two sides are of different moments, and a moment of a shared machine differs from another by
/// tens of percent: an interval of +-stored_minimum_effect around the ratio of the medians (of the
/// peak memory, which hardly varies, +-1 %), so that it fails on a gross worsening alone. On
/// different machines (`machine_notes` not empty) everything is inconclusive.
std::vector<TimingFinding> decide_stored(std::span<const LoadedRun> baselines,
                                         std::span<const LoadedRun> candidates,
                                         const GateSettings& settings,
                                         std::span<const std::string> machine_notes);

/// What Google Benchmark's --benchmark_out (JSON) holds; of several starts, all of them together.
struct GoogleBenchmarkFile {
  struct Benchmark {
    std::string name;
    std::vector<double> cpu_ns;   ///< CPU time an iteration, one a repetition; aggregates left out
    std::vector<double> real_ns;  ///< the same of the wall clock, or what UseManualTime gave
  };
  struct Failure {
    std::string name, message;
  };
  std::vector<Benchmark> benchmarks;
  std::vector<Failure> errors;  ///< repetitions that called SkipWithError
  std::string host, library_build_type;
  std::int64_t cpus = 0;
};
/// Throws Error(kConfiguration): no JSON, no benchmarks, a malformed entry.
GoogleBenchmarkFile parse_google_benchmark(std::string_view json, const std::string& where);

/// The files of several starts of one program as one: their repetitions are pooled. Several hosts
/// are joined ("a and b"). What only some of the files hold is told in `notes`. `names` are the
/// files', in their order; `side` is "baseline" or "candidate". Throws Error(kConfiguration) for
/// none, machines of different sizes, or more than 1,000 repetitions of a benchmark.
GoogleBenchmarkFile pool_google_benchmark(std::span<const GoogleBenchmarkFile> files,
                                          std::span<const std::string> names,
                                          const std::string& side, std::vector<std::string>& notes);

/// One figure a benchmark that both sides hold; throws Error(kConfiguration), which names some of
/// either, where they share none. CPU times are compared (what UseManualTime gave, where it was
/// used) by decide_unpaired, and fail where the whole interval is beyond the minimum effect:
/// repetitions within one start of a program don't show how two starts differ, and those of a few
/// starts show it little. UseRealTime adds the wall clock, which fails on worsenings beyond
/// `real_time_drift` and is else reported only; the CPU time of a benchmark that mostly waits can't
/// fail. A benchmark that works in the baseline and calls SkipWithError in the candidate fails.
/// What only one of the sides holds, other hosts and debug builds are told in `notes`.
std::vector<TimingFinding> compare_google_benchmark(const GoogleBenchmarkFile& baseline,
                                                    const GoogleBenchmarkFile& candidate,
                                                    double minimum_effect, double alpha,
                                                    double real_time_drift,
                                                    std::vector<std::string>& notes);

}  // namespace moebench
