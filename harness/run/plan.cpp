#include "harness/run/plan.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "datasets/readers/readers.h"
#include "engine/base/error.h"

namespace moebench {

namespace {

SamplingRecord effective_sampling(const RunSettings& settings, const SamplingDefaults& protocol) {
  SamplingRecord sampling;
  sampling.temperature = settings.temperature.value_or(protocol.temperature.value_or(0));
  sampling.top_p = settings.top_p.value_or(protocol.top_p.value_or(1));
  sampling.top_k = settings.top_k.value_or(0);
  sampling.seed = settings.seed;
  sampling.max_output_tokens =
      settings.max_tokens.value_or(protocol.max_tokens.value_or(kDefaultMaxTokens));
  sampling.max_thinking_tokens = settings.reasoning_tokens;
  return sampling;
}

void refuse_malformed(const SampleSet& set) {
  if (set.malformed.empty()) return;
  const MalformedRow& first = set.malformed.front();
  throw Error(ErrorCode::kConfiguration,
              set.file + ":" + std::to_string(first.row + 1) + ": " + first.reason +
                  (set.malformed.size() > 1
                       ? " (and " + std::to_string(set.malformed.size() - 1) + " more rows)"
                       : ""),
              "mend or remove the row; a score over the rest would not be comparable");
}

// An attempt is known by its task, its question's id and its number: by this it is found again on
// resume and in a merge.
void refuse_equal_ids(const SampleSet& set) {
  std::set<std::string_view> ids;
  for (const Sample& sample : set.samples) {
    if (ids.insert(sample.id).second) continue;
    throw Error(ErrorCode::kConfiguration, set.file + ": two problems have the id " + sample.id,
                "give each problem an id of its own, or none");
  }
}

// Every n-th question, so that each shard meets the same mix of levels and subjects.
void keep_shard(std::vector<Sample>& questions, const ShardRecord& shard) {
  const auto count = static_cast<std::size_t>(shard.count);
  std::size_t kept = 0;
  for (auto i = static_cast<std::size_t>(shard.index - 1); i < questions.size(); i += count, ++kept)
    if (i != kept) questions[kept] = std::move(questions[i]);
  questions.resize(kept);
}

PlannedTask plan_task(const std::string& name, const RunSettings& settings,
                      std::vector<std::string>& warnings) {
  PlannedTask planned;
  planned.task = load_task(name);
  SampleSet set = read_samples(planned.task, settings.data_folder);
  refuse_malformed(set);
  if (set.samples.empty()) {
    throw Error(ErrorCode::kConfiguration, set.file + ": holds no problem");
  }
  refuse_equal_ids(set);
  planned.shots = read_shots(planned.task, settings.data_folder);
  planned.questions = std::move(set.samples);
  if (settings.limit && static_cast<std::int64_t>(planned.questions.size()) > *settings.limit) {
    planned.questions.resize(static_cast<std::size_t>(*settings.limit));
  }
  if (settings.shard) keep_shard(planned.questions, *settings.shard);
  planned.sampling = effective_sampling(settings, planned.task.sampling);
  planned.attempts_per_question =
      settings.samples_per_question.value_or(planned.task.sampling.samples_per_question);
  planned.data_file = set.file;
  planned.data_sha256 = set.sha256;
  if (planned.attempts_per_question > 1 && planned.sampling.temperature == 0) {
    warnings.push_back(name + ": " + std::to_string(planned.attempts_per_question) +
                       " samples a question at temperature 0 are all the same answer");
  }
  return planned;
}

}  // namespace

std::vector<Attempt> RunPlan::attempts() const {
  std::vector<Attempt> all;
  for (std::size_t task = 0; task < tasks.size(); ++task) {
    for (std::size_t question = 0; question < tasks[task].questions.size(); ++question) {
      for (std::int64_t index = 0; index < tasks[task].attempts_per_question; ++index) {
        all.push_back({task, question, index});
      }
    }
  }
  return all;
}

RunPlan make_plan(const RunSettings& settings) {
  RunPlan plan;
  plan.raw_prompt = settings.raw_prompt;
  plan.chunk_times = settings.step_log;
  for (const std::string& name : settings.tasks) {
    plan.tasks.push_back(plan_task(name, settings, plan.warnings));
  }
  return plan;
}

std::vector<TaskRecord> task_records(const RunPlan& plan) {
  std::vector<TaskRecord> records;
  for (const PlannedTask& planned : plan.tasks) {
    TaskRecord record;
    record.name = planned.task.name;
    record.title = planned.task.title;
    record.task_sha256 = planned.task.hash();
    record.prompt_sha256 = prompt_hash(planned.task, planned.shots);
    record.data_sha256 = planned.data_sha256;
    record.sampling = planned.sampling;
    record.planned_questions = static_cast<std::int64_t>(planned.questions.size());
    record.attempts_per_question = planned.attempts_per_question;
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace moebench
