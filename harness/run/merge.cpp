#include "harness/run/merge.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "harness/run/record_parts.h"
#include "harness/run/results.h"
#include "harness/run/run_directory.h"
#include "harness/run/settings.h"
#include "reports/record/record_files.h"

namespace moebench {

namespace {

using std::filesystem::path;

// A shard and the folder that it came from.
struct Shard {
  path folder;
  LoadedRun loaded;
};

[[noreturn]] void refuse(const std::string& what, const std::string& remedy = {}) {
  throw Error(ErrorCode::kUsage, "cannot be merged: " + what, remedy);
}

void require_same(const Shard& first, const Shard& other, const std::string& what,
                  const std::string& a, const std::string& b) {
  if (a == b) return;
  refuse(what + " is " + (a.empty() ? "not set" : a) + " in " + first.folder.string() + " and " +
             (b.empty() ? "not set" : b) + " in " + other.folder.string(),
         "only parts of one and the same run can be merged");
}

std::vector<Shard> load_shards(std::span<const path> folders, const Announce& announce) {
  std::vector<Shard> shards;
  for (const path& folder : folders) {
    Shard& shard = shards.emplace_back(Shard{folder, load_run(folder)});
    for (const std::string& warning : shard.loaded.warnings) announce(warning, true);
    RunRecord& run = shard.loaded.run;
    for (TaskRecord& task : run.tasks) {
      task.counts = count_verdicts(shard.loaded.samples, task.name);
    }
    const auto n_segments = static_cast<std::int64_t>(run.segments.size());
    for (const SampleRecord& sample : shard.loaded.samples) {
      if (sample.segment >= 0 && sample.segment < n_segments) continue;
      refuse(folder.string() + "/samples.jsonl names a segment that run.json lacks");
    }
    if (!run.shard) {
      refuse(folder.string() + " is a whole run, not a shard", "moebench run --shard I/N");
    }
    if (run.status != RunStatus::kComplete) {
      refuse(folder.string() + " is not complete", "moebench run --resume " + folder.string());
    }
  }
  std::sort(shards.begin(), shards.end(), [](const Shard& a, const Shard& b) {
    return a.loaded.run.shard->index < b.loaded.run.shard->index;
  });
  return shards;
}

void refuse_gaps_and_overlaps(const std::vector<Shard>& shards) {
  const std::int64_t count = shards.front().loaded.run.shard->count;
  const auto of = " of " + std::to_string(count);
  if (count < 1 || count > kMostShards || shards.front().loaded.run.shard->index < 1 ||
      shards.back().loaded.run.shard->index > count) {
    refuse("there is no shard " + std::to_string(shards.back().loaded.run.shard->index) + of);
  }
  for (const Shard& shard : shards) {
    require_same(shards.front(), shard, "the number of shards", std::to_string(count),
                 std::to_string(shard.loaded.run.shard->count));
  }
  for (std::size_t i = 1; i < shards.size(); ++i) {
    const std::int64_t index = shards[i].loaded.run.shard->index;
    if (index == shards[i - 1].loaded.run.shard->index) {
      refuse("shard " + std::to_string(index) + of + " is there twice: " +
             shards[i - 1].folder.string() + " and " + shards[i].folder.string());
    }
  }
  std::string missing;
  for (std::int64_t index = 1; index <= count; ++index) {
    const bool there = std::any_of(shards.begin(), shards.end(), [&](const Shard& shard) {
      return shard.loaded.run.shard->index == index;
    });
    if (!there) missing += (missing.empty() ? "" : ", ") + std::to_string(index);
  }
  if (!missing.empty()) refuse("shard " + missing + of + " is missing");
}

std::string settings_text(const Settings& settings) {
  std::string text;
  for (const auto& [name, value] : settings) {
    // Where the data lies may differ; what it is, its hash tells.
    if (name == "shard" || name == "data") continue;
    text += (text.empty() ? "--" : " --") + name + " " + value;
  }
  return text;
}

std::string sampling_text(const SamplingRecord& sampling) {
  RunRecord only;
  only.tasks.emplace_back().sampling = sampling;
  return to_json(only);
}

void refuse_differences(const Shard& a, const Shard& b) {
  const RunRecord &x = a.loaded.run, &y = b.loaded.run;
  require_same(a, b, "the command line", settings_text(x.requested), settings_text(y.requested));
  require_same(a, b, "the number of tasks", std::to_string(x.tasks.size()),
               std::to_string(y.tasks.size()));
  for (std::size_t t = 0; t < x.tasks.size(); ++t) {
    const TaskRecord &p = x.tasks[t], &q = y.tasks[t];
    require_same(a, b, "task " + std::to_string(t + 1), p.name, q.name);
    require_same(a, b, "the task file of " + p.name, p.task_sha256, q.task_sha256);
    require_same(a, b, "the prompt of " + p.name, p.prompt_sha256, q.prompt_sha256);
    require_same(a, b, "the data of " + p.name, p.data_sha256, q.data_sha256);
    require_same(a, b, "the number of samples a question of " + p.name,
                 std::to_string(p.attempts_per_question), std::to_string(q.attempts_per_question));
    if (sampling_text(p.sampling) != sampling_text(q.sampling)) {
      refuse("the sampling of " + p.name + " differs between " + a.folder.string() + " and " +
             b.folder.string());
    }
  }
  require_same(a, b, "the model's hash", x.model.sha256, y.model.sha256);
  require_same(a, b, "the weights' type", x.model.weight_types, y.model.weight_types);
  require_same(a, b, "the KV cache's type", x.engine.kv_cache_type, y.engine.kv_cache_type);
  require_same(a, b, "the engine", x.engine.name + " " + x.engine.version,
               y.engine.name + " " + y.engine.version);
  require_same(a, b, "the kind of device", x.engine.device.substr(0, x.engine.device.find(':')),
               y.engine.device.substr(0, y.engine.device.find(':')));
  // Answers are the same to the bit on one instruction set only.
  require_same(a, b, "the instruction set", x.engine.isa, y.engine.isa);
  const auto build_text = [](const BuildRecord& build) {
    return build.version + " " + build.commit + ", " + build.compiler + ", " + build.build_type +
           ", " + build.flags;
  };
  require_same(a, b, "the build", build_text(x.build), build_text(y.build));
}

// The samples of one task of a shard, question by question. Each is whole and in its place, or the
// run is refused.
std::vector<std::span<SampleRecord>> questions_of(Shard& shard, const TaskRecord& task,
                                                  std::span<SampleRecord>& rest) {
  const auto attempts = static_cast<std::size_t>(task.attempts_per_question);
  std::vector<std::span<SampleRecord>> questions;
  for (std::int64_t i = 0; i < task.planned_questions; ++i) {
    const std::span<SampleRecord> question = rest.first(std::min(attempts, rest.size()));
    bool whole = question.size() == attempts && attempts > 0;
    for (std::size_t k = 0; k < question.size(); ++k) {
      whole = whole && question[k].task == task.name &&
              question[k].question_id == question[0].question_id &&
              question[k].attempt == static_cast<std::int64_t>(k);
    }
    if (!whole) {
      refuse(shard.folder.string() + "/samples.jsonl is not what run.json says: question " +
             std::to_string(i + 1) + " of " + task.name + " is missing, incomplete or misplaced");
    }
    questions.push_back(question);
    rest = rest.subspan(attempts);
  }
  return questions;
}

// The samples in the order of the run without shards: the i-th question is in shard i mod N.
std::vector<SampleRecord> interleave(std::vector<Shard>& shards, std::vector<TaskRecord>& merged) {
  std::vector<std::span<SampleRecord>> rest;
  for (Shard& shard : shards) {
    const std::string& recorded = shard.loaded.run.results_sha256;
    if (recorded != results_sha256(shard.loaded.samples)) {
      refuse(shard.folder.string() + "/samples.jsonl was changed since the run was completed");
    }
    rest.emplace_back(shard.loaded.samples);
  }
  std::vector<SampleRecord> samples;
  std::set<std::pair<std::string, std::string>> seen;
  const std::size_t count = shards.size();
  for (std::size_t t = 0; t < merged.size(); ++t) {
    std::vector<std::vector<std::span<SampleRecord>>> questions;
    std::size_t total = 0;
    for (std::size_t s = 0; s < count; ++s) {
      questions.push_back(questions_of(shards[s], shards[s].loaded.run.tasks[t], rest[s]));
      total += questions.back().size();
    }
    for (std::size_t s = 0; s < count; ++s) {
      if (questions[s].size() == (total + count - 1 - s) / count) continue;
      refuse(shards[s].folder.string() + " holds " + std::to_string(questions[s].size()) + " of " +
             std::to_string(total) + " questions of " + merged[t].name +
             ", which is not the share of shard " + std::to_string(s + 1) + " of " +
             std::to_string(count));
    }
    merged[t].planned_questions = static_cast<std::int64_t>(total);
    for (std::size_t i = 0; i < total; ++i) {
      for (SampleRecord& sample : questions[i % count][i / count]) {
        if (sample.attempt == 0 && !seen.insert({sample.task, sample.question_id}).second) {
          refuse(sample.task + " " + sample.question_id + " was asked in more than one shard");
        }
        samples.push_back(std::move(sample));
      }
    }
  }
  for (std::size_t s = 0; s < count; ++s) {
    if (!rest[s].empty()) {
      refuse(shards[s].folder.string() + "/samples.jsonl holds more samples than planned");
    }
  }
  return samples;
}

void add_energy(std::vector<EnergyReading>& total, const std::vector<EnergyReading>& more) {
  for (const EnergyReading& reading : more) {
    const auto same = std::find_if(total.begin(), total.end(), [&](const EnergyReading& sum) {
      return sum.meter == reading.meter;
    });
    if (same == total.end()) {
      total.push_back(reading);
    } else {
      same->joules += reading.joules;
    }
  }
}

// Adds what a shard's machine did to the record of all.
void add_work(RunRecord& total, const RunRecord& shard) {
  total.started_utc = std::min(total.started_utc, shard.started_utc);
  total.ended_utc = std::max(total.ended_utc, shard.ended_utc);
  total.segments.insert(total.segments.end(), shard.segments.begin(), shard.segments.end());
  add_steps(total.steps, shard.steps);
  if (total.expert_load.empty()) {
    total.expert_load = shard.expert_load;
  } else if (total.expert_load.size() == shard.expert_load.size()) {
    for (std::size_t layer = 0; layer < total.expert_load.size(); ++layer) {
      auto& sum = total.expert_load[layer];
      const auto& counts = shard.expert_load[layer];
      if (sum.size() != counts.size()) refuse("the expert loads have other shapes");
      for (std::size_t e = 0; e < sum.size(); ++e) sum[e] += counts[e];
    }
  } else if (!shard.expert_load.empty()) {
    refuse("the expert loads have other shapes");
  }
  if (shard.peak_memory_bytes) {
    total.peak_memory_bytes =
        std::max(total.peak_memory_bytes.value_or(0), *shard.peak_memory_bytes);
  }
  total.engine.load_seconds = std::max(total.engine.load_seconds, shard.engine.load_seconds);
  add_energy(total.energy, shard.energy);
}

double wall_seconds(const RunRecord& run) {
  double total = 0;
  for (const RunSegment& segment : run.segments) total += segment.wall_seconds;
  return total;
}

std::int64_t attempts_of(const RunRecord& run) {
  std::int64_t total = 0;
  for (const TaskRecord& task : run.tasks) total += task.counts.total();
  return total;
}

std::optional<OverheadRecord> merged_overhead(const std::vector<Shard>& shards) {
  double requests = 0, wall = 0;
  OverheadRecord sum;
  for (const Shard& shard : shards) {
    const RunRecord& run = shard.loaded.run;
    if (!run.overhead) continue;  // a shard without questions measures none
    const auto n = static_cast<double>(attempts_of(run));
    sum.ms_per_request += run.overhead->ms_per_request * n;
    sum.fraction_of_run += run.overhead->fraction_of_run * wall_seconds(run);
    requests += n;
    wall += wall_seconds(run);
  }
  if (requests == 0 || wall == 0) return std::nullopt;
  return OverheadRecord{sum.ms_per_request / requests, sum.fraction_of_run / wall};
}

// Warnings that all shards share are the run's; the others say whose they are. What the shards'
// results warn of is left out: the merged results are warned about anew.
std::vector<std::string> merged_warnings(const std::vector<Shard>& shards) {
  std::map<std::string, std::size_t> holders;
  std::vector<std::vector<std::string>> own(shards.size());
  for (std::size_t s = 0; s < shards.size(); ++s) {
    const RunRecord& run = shards[s].loaded.run;
    const auto about_results = result_warnings(run, shards[s].loaded.samples);
    for (const std::string& warning : run.warnings) {
      if (std::find(about_results.begin(), about_results.end(), warning) != about_results.end())
        continue;
      own[s].push_back(warning);
      ++holders[warning];
    }
  }
  std::vector<std::string> warnings;
  for (std::size_t s = 0; s < shards.size(); ++s) {
    for (const std::string& warning : own[s]) {
      if (holders[warning] < shards.size()) {
        warnings.push_back("shard " + std::to_string(s + 1) + ": " + warning);
      } else if (s == 0) {
        warnings.push_back(warning);
      }
    }
  }
  std::set<std::string> cpus;
  for (const Shard& shard : shards) cpus.insert(shard.loaded.run.environment.cpu);
  if (cpus.size() > 1) {
    std::string names;
    for (const std::string& cpu : cpus) names += (names.empty() ? "" : "; ") + cpu;
    warnings.push_back("the shards ran on different CPUs, so the speed is that of none: " + names);
  }
  return warnings;
}

void write_step_log(const path& output, const std::vector<Shard>& shards) {
  std::int64_t offset = 0;
  for (const Shard& shard : shards) {
    if (std::filesystem::exists(shard.folder / "steps.jsonl")) {
      JsonLinesWriter log(output / "steps.jsonl");
      for (StepSample& step : read_steps(shard.folder / "steps.jsonl")) {
        step.segment += offset;
        log.append(step);
      }
    }
    offset += static_cast<std::int64_t>(shard.loaded.run.segments.size());
  }
}

}  // namespace

RunOutcome merge_runs(const path& output, std::span<const path> runs, const Announce& announce) {
  if (runs.empty()) refuse("no run is given", "moebench merge OUT RUN...");
  if (std::filesystem::exists(output / "run.json")) {
    throw Error(ErrorCode::kUsage, output.string() + ": holds a run already",
                "name a new folder for the merged run");
  }
  std::vector<Shard> shards = load_shards(runs, announce);
  refuse_gaps_and_overlaps(shards);
  for (const Shard& shard : shards) refuse_differences(shards.front(), shard);

  RunRecord merged = shards.front().loaded.run;
  merged.shard.reset();
  merged.requested.erase("shard");
  merged.run_id = output.filename().empty() ? output.parent_path().filename().string()
                                            : output.filename().string();
  merged.overhead = merged_overhead(shards);
  merged.warnings = merged_warnings(shards);
  merged.merged_from.clear();
  for (std::size_t s = 0; s < shards.size(); ++s) {
    const RunRecord& run = shards[s].loaded.run;
    merged.merged_from.push_back(run.run_id);
    const auto offset = static_cast<std::int64_t>(s == 0 ? 0 : merged.segments.size());
    for (SampleRecord& sample : shards[s].loaded.samples) sample.segment += offset;
    if (s > 0) add_work(merged, run);
  }
  const std::vector<SampleRecord> samples = interleave(shards, merged.tasks);
  for (TaskRecord& task : merged.tasks) task.counts = count_verdicts(samples, task.name);
  merged.retries = count_retries(samples);
  merged.results_sha256 = results_sha256(samples);
  const std::vector<std::string> warnings = result_warnings(merged, samples);
  for (const std::string& warning : warnings) announce(warning, true);
  add_warnings(merged, warnings);

  const RunDirectoryLock lock(output);
  std::filesystem::remove(output / "steps.jsonl");  // of a merge that was killed
  write_samples(output, samples);
  write_step_log(output, shards);
  write_run_record(output, merged);  // last: with it the merged run is there
  const auto total = static_cast<std::int64_t>(samples.size());
  return {output, total, total, 0, false};
}

}  // namespace moebench
