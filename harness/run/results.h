#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "harness/run/plan.h"
#include "reports/record/sample_record.h"

namespace moebench {

/// Names equal answers to one question alike: by the text of the first of them that was shown.
class AnswerClusters {
 public:
  /// The name for the answer in `record`, an attempt at a question of `task`; empty where there is
  /// no answer. Remembers it for the answers to come.
  std::string name(const Task& task, const SampleRecord& record);

 private:
  struct Answer {
    std::string extracted, cluster;
  };
  std::map<std::pair<std::string, std::string>, std::vector<Answer>> answers_;  // by question
};

/// Puts the samples into the plan's order and names their answers' clusters in that order, so that
/// a complete run's samples don't depend on the order in which its answers came. Precondition:
/// every sample is one of the plan's attempts.
void put_in_order(const RunPlan& plan, std::vector<SampleRecord>& samples);

/// SHA-256 over the samples as they stand, without the circumstances in which they were made:
/// `segment`, `cached_tokens`, `timing` and `retries`. Lower-case hex.
std::string results_sha256(std::span<const SampleRecord> samples);

/// What a reader of the results must know: answers that were cut, requests that failed, questions
/// that belong to other shards. Precondition: the tasks' counts are those of the samples.
std::vector<std::string> result_warnings(const RunRecord& record,
                                         std::span<const SampleRecord> samples);

/// Adds the warnings that are not there yet.
void add_warnings(RunRecord& record, const std::vector<std::string>& warnings);

}  // namespace moebench
