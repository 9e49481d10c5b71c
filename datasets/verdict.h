#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/extraction/extraction.h"
#include "datasets/grading/equivalence.h"
#include "datasets/sample.h"
#include "datasets/task.h"

namespace moebench {

enum class VerdictKind : std::uint8_t { kCorrect, kWrong, kUnparsed, kTruncated, kFailed };
std::string_view to_string(VerdictKind kind);  ///< "correct", "wrong", ...

struct Verdict {
  VerdictKind kind = VerdictKind::kUnparsed;
  std::string extracted;  ///< the answer as found, empty if none
  ExtractionRule rule = ExtractionRule::kNone;
  GradeReason reason = GradeReason::kNoAnswer;
  std::string detail;  ///< a sentence for people
  /// Against Sample::corrected_targets; absent where there is none. `kind` is the field's scoring.
  std::optional<VerdictKind> corrected_kind;
};

/// Grades one output. `output` may hold the thinking (`<think>...</think>` or just its end) or the
/// answer part alone. `truncated`: the engine stopped at its token limit; an answer that is already
/// complete in the text still counts, otherwise the verdict is kTruncated. Never throws on account
/// of the text; pure, thread-safe; at most 50 ms.
Verdict grade(const Task& task, const Sample& sample, std::string_view output, bool truncated);

/// Grades an answer that stands alone, with nothing to extract it from.
Verdict grade_answer(const Task& task, const Sample& sample, std::string_view answer);

/// The verdict for a request that the engine could not serve.
Verdict failed_verdict(std::string reason);

/// Groups answers of one question by equivalence, for maj@k: element i is the cluster of answer i,
/// clusters numbered by first appearance; -1 where nothing was extracted.
std::vector<int> cluster_answers(const Task& task, const std::vector<std::string>& extracted);

}  // namespace moebench
