#include "harness/run/results.h"

#include <algorithm>
#include <tuple>

#include "datasets/fetch/sha256.h"
#include "datasets/verdict.h"
#include "engine/base/check.h"
#include "reports/record/record_files.h"

namespace moebench {

namespace {

std::string truncation_warning(const TaskRecord& task) {
  return task.name + ": " + std::to_string(task.counts.truncated) + " of " +
         std::to_string(task.counts.total()) + " answers were cut at " +
         std::to_string(task.sampling.max_output_tokens) +
         " tokens before they were complete; the accuracy is a lower bound. Raise --max-tokens.";
}

std::string failure_warning(const TaskRecord& task, std::span<const SampleRecord> samples) {
  const auto first = std::find_if(samples.begin(), samples.end(), [&](const SampleRecord& sample) {
    return sample.task == task.name && sample.verdict == verdicts::kFailed;
  });
  MOEBENCH_CHECK(first != samples.end());
  return task.name + ": " + std::to_string(task.counts.failed) + " of " +
         std::to_string(task.counts.total()) + " requests failed; " + first->question_id + ": " +
         first->failure;
}

}  // namespace

std::string AnswerClusters::name(const Task& task, const SampleRecord& record) {
  if (record.extracted.empty()) return {};
  std::vector<Answer>& answers = answers_[{record.task, record.question_id}];
  std::string cluster = record.extracted;
  if (!answers.empty()) {
    std::vector<std::string> extracted;
    for (const Answer& answer : answers) extracted.push_back(answer.extracted);
    extracted.push_back(record.extracted);
    const std::vector<int> clusters = cluster_answers(task, extracted);
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (clusters[i] == clusters.back() && clusters[i] >= 0) {
        cluster = answers[i].cluster;
        break;
      }
    }
  }
  answers.push_back({record.extracted, cluster});
  return cluster;
}

void put_in_order(const RunPlan& plan, std::vector<SampleRecord>& samples) {
  using Key = std::tuple<std::string, std::string, std::int64_t>;
  std::map<Key, std::size_t> place;
  const std::vector<Attempt> attempts = plan.attempts();
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    const PlannedTask& task = plan.tasks[attempts[i].task];
    place[{task.task.name, task.questions[attempts[i].question].id, attempts[i].index}] = i;
  }
  const auto place_of = [&](const SampleRecord& sample) {
    const auto found = place.find({sample.task, sample.question_id, sample.attempt});
    MOEBENCH_CHECK(found != place.end());
    return found->second;
  };
  std::vector<std::pair<std::size_t, std::size_t>> order;  // place in the plan, index now
  for (std::size_t i = 0; i < samples.size(); ++i) order.emplace_back(place_of(samples[i]), i);
  std::sort(order.begin(), order.end());

  std::vector<SampleRecord> ordered;
  ordered.reserve(samples.size());
  AnswerClusters clusters;
  for (const auto& [position, index] : order) {
    SampleRecord& sample = ordered.emplace_back(std::move(samples[index]));
    sample.answer_cluster = clusters.name(plan.tasks[attempts[position].task].task, sample);
  }
  samples = std::move(ordered);
}

std::string results_sha256(std::span<const SampleRecord> samples) {
  // A hash of hashes: the text of a long run need not be held twice.
  std::string hashes;
  for (SampleRecord sample : samples) {
    sample.segment = 0;
    sample.cached_tokens = 0;
    sample.timing = {};
    sample.retries.reset();
    hashes += sha256_hex(to_json_line(sample));
  }
  return sha256_hex(hashes);
}

std::vector<std::string> result_warnings(const RunRecord& record,
                                         std::span<const SampleRecord> samples) {
  std::vector<std::string> warnings;
  if (record.shard) {
    warnings.push_back("this is part " + std::to_string(record.shard->index) + " of " +
                       std::to_string(record.shard->count) +
                       " of the questions: put the parts together with `moebench merge` before "
                       "you read a score from it");
  }
  for (const TaskRecord& task : record.tasks) {
    if (task.counts.truncated > 0) warnings.push_back(truncation_warning(task));
    if (task.counts.failed > 0) warnings.push_back(failure_warning(task, samples));
  }
  return warnings;
}

void add_warnings(RunRecord& record, const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) {
    if (std::find(record.warnings.begin(), record.warnings.end(), warning) ==
        record.warnings.end()) {
      record.warnings.push_back(warning);
    }
  }
}

}  // namespace moebench
