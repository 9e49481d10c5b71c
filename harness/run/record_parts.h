#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "harness/clients/engine_client.h"
#include "harness/run/plan.h"
#include "harness/run/settings.h"
#include "reports/record/run_record.h"
#include "reports/record/sample_record.h"

namespace moebench {

/// run.json before the first question: settings, build, machine, engine, model, tasks.
RunRecord new_record(const Settings& requested, const RunSettings& settings, const RunPlan& plan,
                     const ClientInfo& client);

/// When the run began, for RunPlan::started_unix_seconds; nothing where the record doesn't say.
std::optional<std::int64_t> started_unix_seconds(const RunRecord& record);

/// Two or three lines for people: model, engine, tasks.
std::string describe_run(const RunRecord& record);

/// Throws Error(kUsage) that names what differs when the recorded tasks, data, prompts or sampling
/// are not the plan's.
void refuse_other_plan(const RunRecord& recorded, const RunPlan& plan, const std::string& where);

/// Throws Error(kConfiguration) when a recorded sample is none of the plan's attempts.
void refuse_foreign_samples(std::span<const SampleRecord> samples, const RunPlan& plan,
                            const std::string& where);

/// Throws Error(kUsage) when the engine that was loaded is not the recorded one in what decides the
/// answers. Returns warnings about what may (another build, another instruction set, another CPU).
std::vector<std::string> refuse_other_engine(const RunRecord& recorded, const RunSettings& settings,
                                             const ClientInfo& client);

/// Where the last stretch of the run was killed: gives it the wall time that its samples tell
/// (run.json was up to ten seconds behind), and warns of what no file tells any more.
void close_killed_segment(RunRecord& record, std::span<const SampleRecord> samples);

std::vector<StepSample> step_samples(std::span<const StepRecord> steps,
                                     std::chrono::steady_clock::time_point segment_start,
                                     std::int64_t segment);

/// Adds `more` to `total`, kind by kind.
void add_steps(std::vector<StepKindSummary>& total, const std::vector<StepKindSummary>& more);

/// `earlier` plus the engine's counts since it was loaded, as (moe layer, expert) rows.
std::vector<std::vector<std::int64_t>> add_expert_load(
    const std::vector<std::vector<std::int64_t>>& earlier, std::span<const std::int64_t> counts,
    std::int64_t n_layers, std::int64_t n_experts);

}  // namespace moebench
