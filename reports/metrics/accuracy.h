#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "reports/record/run_record.h"
#include "reports/record/sample_record.h"
#include "reports/statistics/proportion.h"

namespace moebench {

/// How one group of samples (a task, a level of a task, a subject) came out.
struct AccuracyGroup {
  std::string task, level, subject;  ///< level or subject empty: all of them
  std::int64_t questions = 0;
  VerdictCounts counts;         ///< of attempts
  ProportionEstimate accuracy;  ///< over all attempts; unparsed, truncated and failed are in the
                                ///< denominator
  double mean_output_tokens = 0, mean_thinking_tokens = 0;  ///< of the attempts that gave output
};

/// All attempts at one question of one task, in order of attempt.
struct QuestionAttempts {
  std::string task, question_id, level, subject;
  std::vector<const SampleRecord*> attempts;
};

/// Grouped by (task, question), sorted by task then by first appearance. The pointers point into
/// `samples`.
std::vector<QuestionAttempts> group_by_question(std::span<const SampleRecord> samples);

// Attempts that were not graded (a load test's) are in none of these.

/// One group a task, in the order of first appearance.
std::vector<AccuracyGroup> accuracy_by_task(std::span<const SampleRecord> samples);
/// One group a (task, level); only tasks with levels. Levels that are numbers sort as numbers.
std::vector<AccuracyGroup> accuracy_by_level(std::span<const SampleRecord> samples);
/// One group a (task, subject); only tasks with subjects; sorted by name.
std::vector<AccuracyGroup> accuracy_by_subject(std::span<const SampleRecord> samples);

}  // namespace moebench
