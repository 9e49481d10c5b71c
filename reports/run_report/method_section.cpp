#include "reports/render/cells.h"
#include "reports/run_report/sections.h"

namespace moebench {
namespace {

class Entries {
 public:
  explicit Entries(KeyValues& to) : to_(to) {}
  void text(const char* key, const std::string& value) {
    if (!value.empty()) to_.entries.emplace_back(key, value);
  }
  void count(const char* key, std::int64_t value) {
    if (value != 0) to_.entries.emplace_back(key, format_count(value));
  }
  void bytes(const char* key, std::int64_t value) {
    if (value != 0) to_.entries.emplace_back(key, format_bytes(static_cast<double>(value)));
  }

 private:
  KeyValues& to_;
};

KeyValues model_values(const RunRecord& run) {
  KeyValues values{"model", "Model", {}};
  Entries add(values);
  add.text("name", run.model.name);
  add.text("family", run.model.family);
  add.text("format", run.model.format);
  add.text("weights", run.model.weight_types);
  add.text("sha256", run.model.sha256);
  add.count("parameters", run.model.total_parameters);
  add.count("active per token", run.model.active_parameters);
  add.bytes("weight bytes", run.model.weight_bytes);
  add.bytes("KV cache per token", run.model.kv_bytes_per_token);
  add.count("layers", run.model.layers);
  add.count("MoE layers", run.model.moe_layers);
  add.count("experts", run.model.experts);
  add.count("experts per token", run.model.experts_per_token);
  return values;
}

KeyValues machine_values(const RunRecord& run) {
  KeyValues values{"machine", "Machine, build and engine", {}};
  Entries add(values);
  add.text("cpu", run.environment.cpu);
  add.count("cores", run.environment.physical_cores);
  add.count("logical cores", run.environment.logical_cores);
  add.bytes("memory", run.environment.memory_bytes);
  for (const std::string& gpu : run.environment.gpus) add.text("gpu", gpu);
  add.text("governor", run.environment.governor);
  add.text("os", run.environment.os);
  add.text("kernel", run.environment.kernel);
  add.text("engine", run.engine.name + " " + run.engine.version);
  add.text("endpoint", run.engine.endpoint);
  add.text("device", run.engine.device);
  add.text("routed experts on", run.engine.experts_device);
  add.text("isa", run.engine.isa);
  add.count("threads", run.engine.threads);
  add.text("KV cache type", run.engine.kv_cache_type);
  add.count("sequences in a batch, at most", run.engine.max_batch_sequences);
  add.text("build", run.build.version + (run.build.commit.empty() ? "" : " " + run.build.commit) +
                        (run.build.modified_tree ? " (modified)" : ""));
  add.text("compiler", run.build.compiler);
  add.text("build type", run.build.build_type);
  add.text("flags", run.build.flags);
  for (const std::string& note : run.environment.notes) add.text("note", note);
  return values;
}

KeyValues task_values(const TaskRecord& task) {
  KeyValues values{"task-" + task.name, "Task " + task.name, {}};
  Entries add(values);
  add.text("title", task.title);
  add.text("task sha256", task.task_sha256);
  add.text("prompt sha256", task.prompt_sha256);
  add.text("data sha256", task.data_sha256);
  add.count("questions planned", task.planned_questions);
  add.count("attempts per question", task.attempts_per_question);
  const SamplingRecord& s = task.sampling;
  add.text("temperature", format_number(s.temperature));
  add.text("top-p", format_number(s.top_p));
  add.count("top-k", s.top_k);
  add.text("seed", std::to_string(s.seed));
  add.count("output tokens, at most", s.max_output_tokens);
  add.count("thinking tokens, at most", s.max_thinking_tokens);
  return values;
}

KeyValues settings_values(const char* id, const char* caption, const Settings& settings) {
  KeyValues values{id, caption, {}};
  values.entries.assign(settings.begin(), settings.end());
  return values;
}

std::string clocks_text(const GpuClocks& gpu) {
  const auto change = [](std::int64_t before, std::int64_t after, const char* unit) {
    return std::to_string(before) + " to " + std::to_string(after) + " " + unit;
  };
  std::string text = "core " + change(gpu.core_mhz_before, gpu.core_mhz_after, "MHz") +
                     ", memory " + change(gpu.memory_mhz_before, gpu.memory_mhz_after, "MHz") +
                     ", " + change(gpu.celsius_before, gpu.celsius_after, "C") + "; throttled in " +
                     std::to_string(gpu.throttled_readings) + " of " +
                     std::to_string(gpu.readings) + " readings";
  for (std::size_t i = 0; i < gpu.throttled.size(); ++i)
    text += (i == 0 ? ": " : ", ") + gpu.throttled[i];
  return text;
}

}  // namespace

Section method_section(const LoadedRun& run) {
  Section section{"method", "How this was measured", {}};
  const RunRecord& record = run.run;
  KeyValues itself{"run", "Run", {}};
  Entries add(itself);
  add.text("id", record.run_id);
  add.text("status", std::string(to_string(record.status)));
  add.text("started", record.started_utc);
  add.text("ended", record.ended_utc);
  add.text("schema", std::to_string(record.schema_version));
  for (const RunSegment& segment : record.segments) {
    add.text("segment", segment.started_utc + " to " +
                            (segment.ended_utc.empty() ? "(not ended)" : segment.ended_utc));
    for (const GpuClocks& gpu : segment.gpus)
      add.text("GPU clocks", gpu.device + ": " + clocks_text(gpu));
  }
  section.blocks.push_back(std::move(itself));
  section.blocks.push_back(model_values(record));
  for (const TaskRecord& task : record.tasks) section.blocks.push_back(task_values(task));
  section.blocks.push_back(machine_values(record));
  if (!record.requested.empty())
    section.blocks.push_back(settings_values("requested", "Settings asked for", record.requested));
  if (!record.effective.empty())
    section.blocks.push_back(settings_values("effective", "Settings in effect", record.effective));
  return section;
}

}  // namespace moebench
