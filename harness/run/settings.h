#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "harness/clients/remote_options.h"
#include "reports/record/run_record.h"

namespace moebench {

/// What a run is asked to do. Absent values follow the task's protocol, then the defaults named
/// here; what came out of that is in RunRecord::effective.
struct RunSettings {
  std::string model;
  std::vector<std::string> tasks;
  std::filesystem::path data_folder;  ///< empty: embedded problems only
  std::optional<std::int64_t> limit;  ///< the first N questions of each task
  std::optional<std::int64_t> samples_per_question;

  std::optional<ShardRecord> shard;  ///< absent: all questions

  std::optional<double> temperature, top_p;
  std::optional<std::int64_t> top_k, max_tokens;
  std::uint64_t seed = 0;
  std::int64_t reasoning_tokens = 0;  ///< 0: no budget of its own
  bool raw_prompt = false;            ///< the messages' text, without the model's chat template

  std::string device = "cpu";
  bool cpu_experts = false;        ///< on a GPU: routed experts stay in host memory
  std::string cuda_dense = "own";  ///< on a GPU: who makes dense products
  std::string kv_cache_type = "f16";
  std::optional<std::string> weights_type;
  std::int64_t batch_size = 32;
  std::int64_t context_tokens = 0;  ///< 0: what the model allows
  int threads = 0;                  ///< 0: one a physical core
  std::int64_t workers = 0;         ///< child processes that hold the engine; 0: this process does
  double stall_timeout_seconds = 300;  ///< of a worker that makes no step

  RemoteOptions remote;  ///< of a model that a server answers for

  std::optional<double> usd_per_hour;
  bool step_log = false;  ///< also write steps.jsonl, one line a forward pass
};

inline constexpr std::int64_t kMostShards = 100'000;

/// What an answer may take where neither the user nor the task's protocol says it.
inline constexpr std::int64_t kDefaultMaxTokens = 2048;

/// The names under which parse_run_settings knows the settings: the long options without their
/// dashes. `requested` in run.json holds them as the user typed them.
const std::vector<std::string>& run_setting_names();

/// Throws Error(kUsage) that names the option and the value when one is unknown, malformed or out
/// of its range.
RunSettings parse_run_settings(const Settings& typed);

/// What of the settings the engine is loaded with.
EngineOptions engine_options(const RunSettings& settings);

/// The settings of a run that is continued: the recorded ones. `typed` may repeat them. Throws
/// Error(kUsage) that names both values when one differs (`data` apart: the data itself is
/// checked).
Settings resume_settings(const Settings& recorded, const Settings& typed);

}  // namespace moebench
