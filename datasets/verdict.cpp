#include "datasets/verdict.h"

namespace moebench {
namespace {

/// Without spaces, dollar signs and thousands separators.
std::string normalised(std::string_view answer) {
  std::string out;
  for (const char c : answer) {
    if (c != ' ' && c != '$' && c != ',') out += c;
  }
  while (out.ends_with('.')) out.pop_back();
  return out;
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

std::string_view to_string(GradeReason reason) {
  switch (reason) {
    case GradeReason::kIdenticalText:
      return "identical-text";
    case GradeReason::kInteger:
      return "integer";
    case GradeReason::kRational:
      return "rational";
    case GradeReason::kDecimalPrecision:
      return "decimal-precision";
    case GradeReason::kSymbolic:
      return "symbolic";
    case GradeReason::kNumericBall:
      return "numeric-ball";
    case GradeReason::kRandomPoints:
      return "random-points";
    case GradeReason::kStructure:
      return "structure";
    case GradeReason::kElements:
      return "elements";
    case GradeReason::kText:
      return "text";
    case GradeReason::kNoAnswer:
      return "no-answer";
    case GradeReason::kUnreadable:
      return "unreadable";
    case GradeReason::kTruncatedOutput:
      return "truncated-output";
    case GradeReason::kBudget:
      return "budget";
    case GradeReason::kNotSimplified:
      return "not-simplified";
    case GradeReason::kEngineFailure:
      return "engine-failure";
  }
  return "unreadable";
}

Verdict grade(const Task& task, const Sample& sample, std::string_view output, bool truncated) {
  Verdict verdict;
  const Extraction extraction = extract_answer(task.extraction, output);
  verdict.extracted = extraction.answer;
  verdict.rule = extraction.rule;
  if (extraction.status == ExtractionStatus::kUnclosedThinking ||
      (truncated && extraction.status == ExtractionStatus::kNothing)) {
    verdict.kind = VerdictKind::kTruncated;
    verdict.reason = GradeReason::kTruncatedOutput;
    return verdict;
  }
  if (extraction.status == ExtractionStatus::kNothing) return verdict;
  verdict.reason = GradeReason::kIdenticalText;
  const std::string answer = normalised(extraction.answer);
  verdict.kind = answer == normalised(sample.target) ? VerdictKind::kCorrect : VerdictKind::kWrong;
  return verdict;
}

Verdict failed_verdict(std::string reason) {
  Verdict verdict;
  verdict.kind = VerdictKind::kFailed;
  verdict.reason = GradeReason::kEngineFailure;
  verdict.detail = std::move(reason);
  return verdict;
}

std::vector<int> cluster_answers(const Task&, const std::vector<std::string>& extracted) {
  std::vector<int> clusters;
  std::vector<std::string> seen;
  for (const std::string& answer : extracted) {
    if (answer.empty()) {
      clusters.push_back(-1);
      continue;
    }
    const std::string key = normalised(answer);
    int cluster = 0;
    while (cluster < static_cast<int>(seen.size()) &&
           seen[static_cast<std::size_t>(cluster)] != key)
      ++cluster;
    if (cluster == static_cast<int>(seen.size())) seen.push_back(key);
    clusters.push_back(cluster);
  }
  return clusters;
}

}  // namespace moebench
