#include "datasets/verdict.h"

#include <algorithm>

namespace moebench {
namespace {

/// Whether the problem asks for a percentage, so that its sign may be missing from the gold.
bool asks_for_percent(std::string_view question) {
  return question.find("percent") != std::string_view::npos ||
         question.find("Percent") != std::string_view::npos ||
         question.find("\\%") != std::string_view::npos ||
         question.find('%') != std::string_view::npos;
}

Equivalence compare_to(const Task& task, const Sample& sample, std::string_view target,
                       std::string_view answer) {
  EquivalenceOptions options;
  options.percent_expected = asks_for_percent(sample.question);
  options.require_simplest_form = task.require_simplest_form;
  if (task.grading == GradingKind::kNumber) return compare_numbers(target, answer);
  return compare_answers(target, answer, options);
}

Verdict judge_answer(const Task& task, const Sample& sample, const Extraction& extraction,
                     Verdict verdict) {
  const auto judge = [](const Equivalence& equivalence) {
    if (equivalence.equal) return VerdictKind::kCorrect;
    return equivalence.reason == GradeReason::kUnreadable ? VerdictKind::kUnparsed
                                                          : VerdictKind::kWrong;
  };
  // The same value boxed twice in different forms is one answer.
  std::vector<std::string> parts;
  for (const std::string& part : extraction.parts) {
    const bool repeated = std::any_of(parts.begin(), parts.end(), [&](const std::string& seen) {
      return compare_to(task, sample, seen, part).equal;
    });
    if (!repeated) parts.push_back(part);
  }
  std::string answer = extraction.answer;
  if (!parts.empty() && parts.size() < extraction.parts.size()) {
    answer.clear();
    for (const std::string& part : parts) answer += (answer.empty() ? "" : ", ") + part;
    verdict.extracted = answer;
  }
  // Where the gold is known to be only the last of several boxes, the field's scoring compares the
  // last box with it; the corrected one takes all that was boxed.
  const bool last_box_only = !sample.corrected_targets.empty() && !parts.empty();
  const Equivalence equivalence =
      compare_to(task, sample, sample.target, last_box_only ? extraction.parts.back() : answer);
  verdict.kind = judge(equivalence);
  verdict.reason = equivalence.reason;
  verdict.detail = equivalence.detail;
  if (sample.corrected_targets.empty()) return verdict;
  const auto among_targets = [&](const std::string& text) {
    return std::any_of(
        sample.corrected_targets.begin(), sample.corrected_targets.end(),
        [&](const std::string& target) { return compare_to(task, sample, target, text).equal; });
  };
  bool corrected = among_targets(answer);
  if (!corrected && sample.corrected_targets.size() > 1 && !parts.empty()) {
    corrected = std::all_of(parts.begin(), parts.end(), among_targets);  // all of them are accepted
  }
  verdict.corrected_kind = corrected                                ? VerdictKind::kCorrect
                           : verdict.kind == VerdictKind::kUnparsed ? VerdictKind::kUnparsed
                                                                    : VerdictKind::kWrong;
  return verdict;
}

}  // namespace

std::string_view to_string(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::kCorrect:
      return "correct";
    case VerdictKind::kWrong:
      return "wrong";
    case VerdictKind::kUnparsed:
      return "unparsed";
    case VerdictKind::kTruncated:
      return "truncated";
    case VerdictKind::kFailed:
      return "failed";
  }
  return "failed";
}

Verdict grade(const Task& task, const Sample& sample, std::string_view output, bool truncated) {
  Verdict verdict;
  const Extraction extraction = extract_answer(task.extraction, output);
  verdict.extracted = extraction.answer;
  verdict.rule = extraction.rule;
  const auto without_answer = [&](VerdictKind kind, GradeReason reason, std::string detail) {
    verdict.kind = kind;
    verdict.reason = reason;
    verdict.detail = std::move(detail);
    if (!sample.corrected_targets.empty()) verdict.corrected_kind = kind;
    return verdict;
  };
  if (extraction.status == ExtractionStatus::kUnclosedThinking) {
    return without_answer(VerdictKind::kTruncated, GradeReason::kTruncatedOutput,
                          "the thinking never ends");
  }
  // A guess from the last number of a text that was cut off is no answer.
  const bool weak = extraction.rule == ExtractionRule::kLastNumber ||
                    extraction.rule == ExtractionRule::kLastMath ||
                    extraction.rule == ExtractionRule::kBold ||
                    extraction.rule == ExtractionRule::kWholeText;
  if (truncated && (extraction.status == ExtractionStatus::kNothing || weak)) {
    return without_answer(VerdictKind::kTruncated, GradeReason::kTruncatedOutput,
                          "cut off before an answer was stated");
  }
  if (extraction.status == ExtractionStatus::kNothing) {
    return without_answer(VerdictKind::kUnparsed, GradeReason::kNoAnswer,
                          "no rule of the task finds an answer in the text");
  }
  return judge_answer(task, sample, extraction, std::move(verdict));
}

Verdict grade_answer(const Task& task, const Sample& sample, std::string_view answer) {
  Extraction extraction;
  extraction.status = ExtractionStatus::kFound;
  extraction.answer = std::string(answer);
  extraction.rule = ExtractionRule::kWholeText;
  Verdict verdict;
  verdict.extracted = extraction.answer;
  verdict.rule = extraction.rule;
  return judge_answer(task, sample, extraction, std::move(verdict));
}

Verdict failed_verdict(std::string reason) {
  Verdict verdict;
  verdict.kind = VerdictKind::kFailed;
  verdict.reason = GradeReason::kEngineFailure;
  verdict.detail = std::move(reason);
  return verdict;
}

std::vector<int> cluster_answers(const Task& task, const std::vector<std::string>& extracted) {
  std::vector<int> clusters;
  std::vector<std::string> seen;  // the first answer of each cluster
  const Sample no_question;
  for (const std::string& answer : extracted) {
    if (answer.empty()) {
      clusters.push_back(-1);
      continue;
    }
    std::size_t cluster = 0;
    while (cluster < seen.size() && !compare_to(task, no_question, seen[cluster], answer).equal)
      ++cluster;
    if (cluster == seen.size()) seen.push_back(answer);
    clusters.push_back(static_cast<int>(cluster));
  }
  return clusters;
}

}  // namespace moebench
