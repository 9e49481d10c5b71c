#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/gate/timing.h"
#include "reports/record/record_files.h"

namespace moebench {

/// The first token at which two programs part, told by log-probabilities of both.
struct TokenDivergence {
  std::int64_t token_index = 0;  ///< from 0, in the output
  std::int32_t baseline_token = 0, candidate_token = 0;
  /// logit(baseline's token) - logit(candidate's token), as each program sees it: positive in the
  /// baseline, negative in the candidate. Absent where a token is not among the recorded ones.
  std::optional<double> baseline_gap, candidate_gap;
};

/// One attempt whose output differs.
struct ChangedOutput {
  std::string task, question_id;
  std::int64_t attempt = 0;
  std::string baseline_verdict, candidate_verdict;
  std::int64_t first_difference_bytes = 0;    ///< where the texts (thinking, answer) part
  std::string baseline_text, candidate_text;  ///< a few characters from there on
};

struct OutputsFinding {
  GateVerdict verdict = GateVerdict::kInconclusive;
  std::int64_t compared = 0, changed = 0;
  std::optional<ChangedOutput> first;  ///< by task, question's number and attempt
  std::optional<TokenDivergence> divergence;
  std::string because;
};

/// Hashes of the attempts that both runs hold. The same build on the same instruction set gives the
/// same tokens, so one changed output is `numerics changed` and fails. Inconclusive where the two
/// ran on different instruction sets or devices (only greedy agreement is promised there), or share
/// no attempt.
OutputsFinding compare_outputs(const LoadedRun& baseline, const LoadedRun& candidate);

/// For records that may come from two machines: a failed finding becomes inconclusive, with the
/// reason, where another compiler made the code, or another system's C library rounded (its exp,
/// its log).
void doubt_outputs_of_other_builds(OutputsFinding& finding, const RunRecord& baseline,
                                   const RunRecord& candidate);

struct AccuracyFinding {
  std::string task;  ///< empty: over all tasks
  GateVerdict verdict = GateVerdict::kInconclusive;
  std::int64_t questions = 0, lost = 0, gained = 0;  ///< lost: only the baseline was right
  double baseline = 0, candidate = 0;                ///< accuracy over the paired questions, 0 to 1
  double drop = 0;                                   ///< baseline - candidate
  Interval interval;                                 ///< of the drop
  double p = 1;                                      ///< two-sided, exact McNemar or permutation
  std::string because;
};

struct AccuracyLimits {
  double minimum_effect = 0.03;  ///< a smaller drop, as a fraction of the questions, never fails
  double alpha = kDefaultAlpha;
};

/// Accuracy over the questions that both runs answered, paired. Fail: the drop is significant and
/// reaches the minimum effect. Pass: the outputs are the same, or the drop is shown to stay below
/// it. Works across machines. Throws Error(kConfiguration) where the runs share no question.
AccuracyFinding compare_accuracy(const LoadedRun& baseline, const LoadedRun& candidate,
                                 const AccuracyLimits& limits);

/// Throws Error(kConfiguration) that names both values where a comparison would mean nothing: no
/// samples, no task in common, other task files, prompts, sampling or data, another model.
/// `baseline_name` and `candidate_name` are the words for the two in messages.
void refuse_unlike(const LoadedRun& baseline, const LoadedRun& candidate,
                   const std::string& baseline_name, const std::string& candidate_name);

}  // namespace moebench
