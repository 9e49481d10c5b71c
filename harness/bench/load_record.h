#pragma once

#include <filesystem>
#include <functional>
#include <vector>

#include "harness/bench/load_scenario.h"
#include "reports/record/record_files.h"

namespace moebench {

/// A load test as a run: the same record as an evaluation's, so that every report takes it.
struct MeasuredLoad {
  LoadedRun run;
  std::vector<StepSample> steps;
};

/// Plays one load and records it. `base` says model, engine, machine and settings (see new_record);
/// tasks, times, steps, experts' load, energy, memory and what the harness itself costs are filled
/// in. A request of the same kind goes ahead, uncounted, so that pages and clocks are warm.
MeasuredLoad measure_load(EngineClient& client, const RunRecord& base, const LoadRequests& load,
                          const Arrivals& arrivals, std::uint64_t seed,
                          const std::function<void(std::int64_t done)>& tick);

/// Writes run.json, samples.jsonl and steps.jsonl. Throws Error(kUsage) when the folder holds a
/// run, Error(kIo).
void write_load(const std::filesystem::path& directory, const MeasuredLoad& measured);

}  // namespace moebench
