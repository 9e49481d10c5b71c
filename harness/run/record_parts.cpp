#include "harness/run/record_parts.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <set>
#include <tuple>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "harness/environment/environment.h"
#include "harness/environment/gpu_watch.h"
#include "harness/environment/peak_flops.h"

namespace moebench {

namespace {

ModelRecord model_record(const EngineInfo& info) {
  ModelRecord model;
  model.name = info.model_name;
  model.family = info.family;
  model.format = info.format;
  model.sha256 = info.model_sha256;
  model.weight_types = info.weight_types;
  model.total_parameters = info.total_parameters;
  model.active_parameters = info.active_parameters;
  model.weight_bytes = info.weight_bytes;
  model.kv_bytes_per_token = info.kv_bytes_per_token;
  model.layers = info.n_layers;
  model.moe_layers = info.n_moe_layers;
  model.experts = info.n_experts;
  model.experts_per_token = info.experts_per_token;
  model.max_context_tokens = info.max_context_tokens;
  return model;
}

EngineRecord engine_record(const RunSettings& settings, const ClientInfo& client) {
  EngineRecord engine;
  engine.name = client.engine_name;
  engine.version = client.engine_version;
  engine.endpoint = client.endpoint;
  engine.device = client.engine.device;
  engine.isa = client.engine.isa;
  engine.experts_device = client.engine.experts_device;
  engine.kv_cache_type = client.engine.kv_cache_type;
  engine.threads = client.engine.threads;
  engine.max_batch_sequences = settings.batch_size;
  engine.max_step_tokens = EngineOptions{}.max_step_tokens;
  engine.load_seconds = client.engine.load_seconds;
  if (settings.workers > 1 && client.engine.device.starts_with("cuda:"))
    engine.devices = settings.workers;
  return engine;
}

// What a setting came to be, under the name it was asked for.
Settings effective_settings(const RunSettings& settings, const RunPlan& plan,
                            const ClientInfo& client) {
  Settings effective;
  effective["model"] = settings.model;
  effective["device"] = client.engine.device;
  if (!client.engine.experts_device.empty())
    effective["experts-device"] = client.engine.experts_device;
  if (client.engine.device.starts_with("cuda:")) effective["cuda-dense"] = settings.cuda_dense;
  effective["threads"] = std::to_string(client.engine.threads);
  effective["batch-size"] = std::to_string(settings.batch_size);
  effective["context"] = std::to_string(client.engine.max_context_tokens);
  effective["kv-cache-type"] = client.engine.kv_cache_type;
  effective["weights-type"] = client.engine.weight_types;
  effective["seed"] = std::to_string(settings.seed);
  effective["reasoning-tokens"] = std::to_string(settings.reasoning_tokens);
  effective["workers"] = std::to_string(settings.workers);
  effective["raw-prompt"] = settings.raw_prompt ? "true" : "false";
  for (const PlannedTask& task : plan.tasks) {
    effective["data:" + task.task.name] = task.data_file;
  }
  return effective;
}

std::string rounded(double value, const char* pattern) {
  char text[48];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

std::string count_text(std::int64_t count) {
  const auto value = static_cast<double>(count);
  if (value >= 1e9) return rounded(value / 1e9, "%.2f B");
  if (value >= 1e6) return rounded(value / 1e6, "%.1f M");
  return std::to_string(count);
}

void refuse_difference(const std::string& where, const std::string& what,
                       const std::string& recorded, const std::string& now) {
  if (recorded == now) return;
  throw Error(
      ErrorCode::kUsage,
      where + ": cannot be resumed: " + what + " was " + recorded + " and is " + now + " now",
      "bring the old one back, or start a new run with another -o");
}

std::string sampling_text(const SamplingRecord& sampling) {
  char text[200];
  std::snprintf(
      text, sizeof text,
      "temperature %g, top-p %g, top-k %lld, seed %llu, at most %lld tokens, %lld thinking",
      sampling.temperature, sampling.top_p, static_cast<long long>(sampling.top_k),
      static_cast<unsigned long long>(sampling.seed),
      static_cast<long long>(sampling.max_output_tokens),
      static_cast<long long>(sampling.max_thinking_tokens));
  return text;
}

}  // namespace

std::optional<std::int64_t> started_unix_seconds(const RunRecord& record) {
  std::tm parts{};
  const char* end = strptime(record.started_utc.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return timegm(&parts);
}

RunRecord new_record(const Settings& requested, const RunSettings& settings, const RunPlan& plan,
                     const ClientInfo& client) {
  RunRecord record;
  record.label = client.engine.model_name;
  if (!client.engine.weight_types.empty()) record.label += " " + client.engine.weight_types;
  record.started_utc = utc_now();
  record.requested = requested;
  record.effective = effective_settings(settings, plan, client);
  record.build = build_record();
  record.environment = read_environment();
  if (client.engine.device == "cpu" || client.engine.device == "reference") {
    const int threads = std::max(1, client.engine.threads);
    record.environment.peak_bytes_per_second = measure_memory_bandwidth(threads);
    record.environment.peak_source =
        "measured: reading 128 MiB a thread, " + std::to_string(threads) + " threads, best of 5";
    const PeakFlops peak = measure_peak_flops(threads);
    record.environment.peak_flops = peak.flops_per_second;
    record.environment.peak_source += "; " + peak.how;
  }
  record.engine = engine_record(settings, client);
  record.environment.gpus = describe_gpus(gpus_of(record.engine));
  record.model = model_record(client.engine);
  record.tasks = task_records(plan);
  record.shard = settings.shard;
  if (settings.usd_per_hour)
    record.price = MachinePrice{*settings.usd_per_hour, "--usd-per-hour", ""};
  record.warnings = plan.warnings;
  return record;
}

std::string describe_run(const RunRecord& record) {
  std::string text = record.label;
  const ModelRecord& model = record.model;
  if (model.total_parameters > 0) {
    text += ": " + count_text(model.total_parameters) + " parameters, " +
            count_text(model.active_parameters) + " active a token";
  }
  if (model.moe_layers > 0) {
    text += ", " + std::to_string(model.experts) + " experts (" +
            std::to_string(model.experts_per_token) + " a token) in " +
            std::to_string(model.moe_layers) + " of " + std::to_string(model.layers) + " layers";
  }
  const EngineRecord& engine = record.engine;
  text += "\n  " + engine.name + " on " + engine.device;
  if (!engine.isa.empty()) text += " (" + engine.isa + ")";
  if (!engine.experts_device.empty()) text += ", routed experts on " + engine.experts_device;
  if (engine.threads > 0) text += ", " + std::to_string(engine.threads) + " threads";
  text += ", batch " + std::to_string(engine.max_batch_sequences);
  const auto workers = record.effective.find("workers");
  if (workers != record.effective.end() && workers->second != "0")
    text += ", workers " + workers->second;
  if (engine.load_seconds > 0) text += rounded(engine.load_seconds, ", loaded in %.2f s");
  for (const TaskRecord& task : record.tasks) {
    text += "\n  " + task.name + ": " + std::to_string(task.planned_questions) + " questions";
    if (task.attempts_per_question > 1) {
      text += " x " + std::to_string(task.attempts_per_question) + " samples";
    }
    text += ", at most " + std::to_string(task.sampling.max_output_tokens) + " tokens each";
  }
  return text;
}

void refuse_other_plan(const RunRecord& recorded, const RunPlan& plan, const std::string& where) {
  const std::vector<TaskRecord> now = task_records(plan);
  refuse_difference(where, "the number of tasks", std::to_string(recorded.tasks.size()),
                    std::to_string(now.size()));
  for (std::size_t i = 0; i < now.size(); ++i) {
    const TaskRecord& before = recorded.tasks[i];
    refuse_difference(where, "task " + std::to_string(i + 1), before.name, now[i].name);
    const std::string of = "of " + before.name;
    refuse_difference(where, "the task file " + of, before.task_sha256, now[i].task_sha256);
    refuse_difference(where, "the prompt " + of, before.prompt_sha256, now[i].prompt_sha256);
    refuse_difference(where, "the data " + of, before.data_sha256, now[i].data_sha256);
    refuse_difference(where, "the sampling " + of, sampling_text(before.sampling),
                      sampling_text(now[i].sampling));
    refuse_difference(where, "the number of questions " + of,
                      std::to_string(before.planned_questions),
                      std::to_string(now[i].planned_questions));
    refuse_difference(where, "the number of samples a question " + of,
                      std::to_string(before.attempts_per_question),
                      std::to_string(now[i].attempts_per_question));
  }
}

void refuse_foreign_samples(std::span<const SampleRecord> samples, const RunPlan& plan,
                            const std::string& where) {
  std::set<std::tuple<std::string, std::string, std::int64_t>> planned;
  for (const Attempt& attempt : plan.attempts()) {
    const PlannedTask& task = plan.tasks[attempt.task];
    planned.insert({task.task.name, task.questions[attempt.question].id, attempt.index});
  }
  for (const SampleRecord& sample : samples) {
    if (planned.contains({sample.task, sample.question_id, sample.attempt})) continue;
    throw Error(ErrorCode::kConfiguration,
                where + "/samples.jsonl: holds attempt " + std::to_string(sample.attempt) + " at " +
                    sample.task + " " + sample.question_id + ", which this run never asks",
                "start a new run with another -o");
  }
}

std::vector<std::string> refuse_other_engine(const RunRecord& recorded, const RunSettings& settings,
                                             const ClientInfo& client) {
  const std::string where = "the run";
  const ModelRecord model = model_record(client.engine);
  const EngineRecord engine = engine_record(settings, client);
  refuse_difference(where, "the model's hash", recorded.model.sha256, model.sha256);
  refuse_difference(where, "the weights' type", recorded.model.weight_types, model.weight_types);
  refuse_difference(where, "the KV cache's type", recorded.engine.kv_cache_type,
                    engine.kv_cache_type);
  refuse_difference(where, "the engine", recorded.engine.name, engine.name);
  refuse_difference(where, "the device", recorded.engine.device, engine.device);
  refuse_difference(where, "the experts' device", recorded.engine.experts_device,
                    engine.experts_device);

  std::vector<std::string> warnings;
  const auto warn = [&](const std::string& what, const std::string& before,
                        const std::string& now) {
    if (before != now) {
      warnings.push_back("resumed with another " + what + ": " + before + ", then " + now);
    }
  };
  warn("instruction set", recorded.engine.isa, engine.isa);
  warn("number of threads", std::to_string(recorded.engine.threads),
       std::to_string(engine.threads));
  warn("build", recorded.build.commit, build_record().commit);
  warn("CPU", recorded.environment.cpu, read_environment().cpu);
  return warnings;
}

void close_killed_segment(RunRecord& record, std::span<const SampleRecord> samples) {
  if (record.segments.empty() || !record.segments.back().ended_utc.empty()) return;
  RunSegment& segment = record.segments.back();
  const auto index = static_cast<std::int64_t>(record.segments.size()) - 1;
  double last_token_ms = 0;
  for (const SampleRecord& sample : samples) {
    if (sample.segment != index) continue;
    last_token_ms =
        std::max(last_token_ms, sample.timing.issued_ms + sample.timing.last_token_ms.value_or(0));
  }
  segment.wall_seconds = last_token_ms / 1000;
  record.warnings.push_back("the stretch that began at " + segment.started_utc +
                            " was killed: up to 10 s of its forward passes are missing from the "
                            "step totals and the expert load; no answer is");
}

std::vector<StepSample> step_samples(std::span<const StepRecord> steps,
                                     std::chrono::steady_clock::time_point segment_start,
                                     std::int64_t segment) {
  const auto since_start_ms = [&](std::chrono::steady_clock::time_point time) {
    return std::chrono::duration<double, std::milli>(time - segment_start).count();
  };
  std::vector<StepSample> samples;
  samples.reserve(steps.size());
  for (const StepRecord& step : steps) {
    StepSample sample;
    sample.segment = segment;
    sample.begin_ms = since_start_ms(step.begin);
    sample.end_ms = since_start_ms(step.end);
    sample.prefill_tokens = step.prefill_tokens;
    sample.decode_tokens = step.decode_tokens;
    sample.sequences = step.sequences;
    sample.kv_tokens_read = step.kv_tokens_read;
    sample.activated_experts = step.activated_experts;
    sample.weight_bytes_read = step.weight_bytes_read;
    sample.flops = step.flops;
    samples.push_back(sample);
  }
  return samples;
}

void add_steps(std::vector<StepKindSummary>& total, const std::vector<StepKindSummary>& more) {
  for (const StepKindSummary& part : more) {
    const auto same_kind = [&](const StepKindSummary& summary) {
      return summary.kind == part.kind;
    };
    auto sum = std::find_if(total.begin(), total.end(), same_kind);
    if (sum == total.end()) {
      total.push_back(part);
      continue;
    }
    sum->steps += part.steps;
    sum->seconds += part.seconds;
    if (sum->prefill_seconds && part.prefill_seconds)
      *sum->prefill_seconds += *part.prefill_seconds;
    else
      sum->prefill_seconds.reset();
    sum->prefill_tokens += part.prefill_tokens;
    sum->decode_tokens += part.decode_tokens;
    sum->sequences += part.sequences;
    sum->kv_tokens_read += part.kv_tokens_read;
    sum->activated_experts += part.activated_experts;
    sum->weight_bytes_read += part.weight_bytes_read;
    sum->flops += part.flops;
  }
}

std::vector<std::vector<std::int64_t>> add_expert_load(
    const std::vector<std::vector<std::int64_t>>& earlier, std::span<const std::int64_t> counts,
    std::int64_t n_layers, std::int64_t n_experts) {
  if (counts.empty() || n_layers <= 0 || n_experts <= 0) return earlier;
  const auto layers = static_cast<std::size_t>(n_layers);
  const auto experts = static_cast<std::size_t>(n_experts);
  MOEBENCH_CHECK(counts.size() == layers * experts);
  std::vector<std::vector<std::int64_t>> load(layers, std::vector<std::int64_t>(experts, 0));
  for (std::size_t layer = 0; layer < layers; ++layer) {
    for (std::size_t expert = 0; expert < experts; ++expert) {
      load[layer][expert] = counts[layer * experts + expert];
      if (layer < earlier.size() && expert < earlier[layer].size()) {
        load[layer][expert] += earlier[layer][expert];
      }
    }
  }
  return load;
}

}  // namespace moebench
