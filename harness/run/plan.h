#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "datasets/prompts/prompt.h"
#include "datasets/sample.h"
#include "datasets/task.h"
#include "harness/run/settings.h"
#include "reports/record/run_record.h"

namespace moebench {

/// One task, its problems read, everything decided that the sampler is told.
struct PlannedTask {
  Task task;
  std::vector<Sample> questions;  ///< after --limit and --shard
  std::vector<Sample> shots;
  SamplingRecord sampling;
  std::int64_t attempts_per_question = 1;
  std::string data_file, data_sha256;
};

/// One attempt at one question; indices into the plan.
struct Attempt {
  std::size_t task = 0, question = 0;
  std::int64_t index = 0;  ///< from 0
};

struct RunPlan {
  std::vector<PlannedTask> tasks;
  bool raw_prompt = false;
  /// When the run began: what chat templates that write the date are told, resumed or not.
  std::optional<std::int64_t> started_unix_seconds;
  bool chunk_times = false;  ///< keep when each chunk of an answer came
  std::vector<std::string> warnings;

  /// All attempts: by task, question, index. Results are told in this order.
  std::vector<Attempt> attempts() const;
};

/// Reads the tasks and their problems. Throws Error(kConfiguration) when a task is unknown, its
/// data is nowhere, or a row can't be read (file and line are named).
RunPlan make_plan(const RunSettings& settings);

/// The tasks' part of run.json.
std::vector<TaskRecord> task_records(const RunPlan& plan);

}  // namespace moebench
