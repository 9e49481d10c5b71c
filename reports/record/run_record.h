#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace moebench {

/// The version of run.json and samples.jsonl that this build writes. A record of a newer version is
/// refused; older versions stay readable. It rises only when the meaning of an existing field
/// changes: a field that is merely added is optional, and readers ignore fields they don't know.
inline constexpr int kRecordSchemaVersion = 1;

enum class RunStatus {
  kRunning,   ///< being written, or its writer was killed
  kPartial,   ///< stopped before every sample was there (interrupted, disk full, time over)
  kComplete,  ///< every planned sample is there
};

/// Flat, ordered key -> value, as a person would type them: "batch_size" -> "32".
using Settings = std::map<std::string, std::string>;

/// What the sampler really used for one task. Two runs that differ here are not compared unasked.
struct SamplingRecord {
  double temperature = 0;  ///< 0: greedy
  double top_p = 1;
  std::int64_t top_k = 0;  ///< 0: no limit
  std::uint64_t seed = 0;
  std::int64_t max_output_tokens = 0;
  std::int64_t max_thinking_tokens = 0;  ///< 0: no budget of its own
};

/// How many attempts ended how. `unparsed`, `truncated` and `failed` are not `wrong`, but every one
/// of them is in the denominator of the headline accuracy.
struct VerdictCounts {
  std::int64_t correct = 0, wrong = 0, unparsed = 0, truncated = 0, failed = 0;
  std::int64_t total() const { return correct + wrong + unparsed + truncated + failed; }
};

struct TaskRecord {
  std::string name, title;
  std::string task_sha256;    ///< of the task file: data, extraction, grading
  std::string prompt_sha256;  ///< of the prompt's template and shots, and the chat template it met
  std::string data_sha256;    ///< of the rows that were read
  SamplingRecord sampling;
  std::int64_t planned_questions = 0;
  std::int64_t attempts_per_question = 1;
  VerdictCounts counts;  ///< of the samples written when run.json was written
};

struct ModelRecord {
  std::string name, family, format, sha256;
  std::string weight_types;  ///< "q8_0", "bf16, f32"
  std::int64_t total_parameters = 0, active_parameters = 0, weight_bytes = 0;
  std::int64_t kv_bytes_per_token = 0, layers = 0, moe_layers = 0, experts = 0;
  std::int64_t experts_per_token = 0, max_context_tokens = 0;
};

struct EngineRecord {
  std::string name, version;  ///< "moebench", "openai-http", "null"
  std::string device;         ///< "cpu", "cuda:0"
  std::string isa, kv_cache_type, endpoint;
  std::string experts_device;  ///< "cpu" where routed experts ran apart from the rest
  std::int64_t threads = 0, max_batch_sequences = 0, max_step_tokens = 0, devices = 1;
  double load_seconds = 0;
};

struct BuildRecord {
  std::string version, commit, compiler, build_type, flags;
  bool modified_tree = false;  ///< the source had changes that the commit does not hold
};

struct EnvironmentRecord {
  std::string cpu, os, kernel, governor;
  std::vector<std::string> gpus;
  std::int64_t logical_cores = 0, physical_cores = 0, memory_bytes = 0;
  std::optional<double> peak_bytes_per_second;  ///< memory; for S-MBU
  std::optional<double> peak_flops;             ///< dense FLOP/s; for S-MFU
  std::string peak_source;                      ///< "measured: ...", "published: ..."
  std::vector<std::string> notes;               ///< what may have disturbed the measurement
};

/// What an hour of the machine that made this record costs. Absent: no cost is computed.
struct MachinePrice {
  double usd_per_hour = 0;
  std::string source;  ///< "--usd-per-hour", "catalogue: aws c7i.2xlarge"
  std::string as_of;   ///< YYYY-MM-DD or YYYY-MM
};

/// What a GPU said of itself before and after a stretch, and how often it was held down meanwhile.
struct GpuClocks {
  std::string device;  ///< "cuda:0"
  std::int64_t core_mhz_before = 0, core_mhz_after = 0;
  std::int64_t memory_mhz_before = 0, memory_mhz_after = 0;
  std::int64_t celsius_before = 0, celsius_after = 0;
  std::int64_t readings = 0;            ///< about one a second, the first and last included
  std::int64_t throttled_readings = 0;  ///< of them: clocks were held down
  std::vector<std::string> throttled;   ///< the reasons seen: "power cap", "hardware thermal"
};

/// One uninterrupted stretch of the run; a resumed run has several.
struct RunSegment {
  std::string started_utc, ended_utc;  ///< ISO 8601; ended empty while it runs or when killed
  double wall_seconds = 0;             ///< first issue to last token; excludes loading
  /// User and system time of all of this process' threads meanwhile: what a busy neighbour can't
  /// stretch as it stretches the wall time. Absent in records of older builds.
  std::optional<double> cpu_seconds = {};
  std::vector<GpuClocks> gpus = {};  ///< of the GPUs that served it, where they can be asked
};

/// All steps of one kind together. `kind` is "prefill", "decode" or "mixed" (both in one pass).
struct StepKindSummary {
  std::string kind;
  std::int64_t steps = 0;
  double seconds = 0;
  /// Of `seconds`, what belongs to prefill: each pass divided by its own rows. Absent in records of
  /// older builds.
  std::optional<double> prefill_seconds = {};
  std::int64_t prefill_tokens = 0, decode_tokens = 0;
  std::int64_t sequences = 0;          ///< summed over steps
  std::int64_t kv_tokens_read = 0;     ///< summed over rows' contexts; per layer the same
  std::int64_t activated_experts = 0;  ///< distinct (layer, expert) pairs, summed over steps
  std::int64_t weight_bytes_read = 0;  ///< each active expert counted once a step
  double flops = 0;
};

/// A load test: when requests were sent, and what they asked. Its samples are not graded.
struct LoadRecord {
  std::string arrivals;            ///< "offline", "concurrency" or "poisson"
  double requests_per_second = 0;  ///< of "poisson": the mean rate of arrivals
  std::int64_t max_in_flight = 0;  ///< 0: no limit of ours
  std::uint64_t seed = 0;          ///< of the arrivals and the random prompts
  std::string prompts;             ///< "512 random tokens", "questions of gsm8k-mini"
};

struct EnergyReading {
  std::string meter;  ///< "rapl:package-0", "nvml:0"
  double joules = 0;
};

/// A client that answers at once, driven by the same harness: what the harness itself costs.
struct OverheadRecord {
  double ms_per_request = 0;
  double fraction_of_run = 0;  ///< of this run's wall time; above 0.01 the report warns
};

/// Requests that had to be asked again, of a server or a worker that failed. Counted over the
/// samples (SampleRecord::retries): what was in flight when a run was stopped is in neither.
struct RetryRecord {
  std::int64_t requests_retried = 0;  ///< requests that were asked more than once
  std::int64_t retries = 0;           ///< further attempts at them, together
};

/// Which part of the questions a run asked: every `count`-th of each task, from the `index`-th on.
struct ShardRecord {
  std::int64_t index = 0, count = 0;  ///< index from 1
};

/// run.json
struct RunRecord {
  int schema_version = kRecordSchemaVersion;
  std::string run_id;  ///< unique; the folder's name unless given
  std::string label;   ///< for tables: "canary q8_0"
  RunStatus status = RunStatus::kRunning;
  std::string started_utc, ended_utc;
  Settings requested, effective;
  BuildRecord build;
  EnvironmentRecord environment;
  EngineRecord engine;
  ModelRecord model;
  std::vector<TaskRecord> tasks;
  /// Of a complete run: over its answers and verdicts (see results_sha256()). Equal hashes mean
  /// equal results, however the two runs were interrupted, sharded or scheduled.
  std::string results_sha256;
  std::optional<ShardRecord> shard;      ///< absent: all questions
  std::vector<std::string> merged_from;  ///< run ids of the shards, in their order
  std::vector<RunSegment> segments;
  std::vector<StepKindSummary> steps;
  std::vector<std::vector<std::int64_t>> expert_load;  ///< tokens routed (moe layer, expert)
  std::optional<MachinePrice> price;
  /// Absent where nothing is asked again (the engine in this process) and in records of older
  /// builds.
  std::optional<RetryRecord> retries;
  std::optional<OverheadRecord> overhead;
  std::optional<std::int64_t> peak_memory_bytes;
  std::vector<EnergyReading> energy;  ///< empty: no meter was readable
  std::string energy_note;            ///< why a meter is missing, or what a reading leaves out
  std::optional<LoadRecord> load;     ///< present: a load test, not an evaluation
  std::string percentile_method = "linear interpolation (numpy default)";
  std::vector<std::string> warnings;
};

}  // namespace moebench
