#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace moebench {

/// The five ways an attempt can end, by the names the graders use.
namespace verdicts {
inline constexpr const char* kCorrect = "correct";
inline constexpr const char* kWrong = "wrong";
inline constexpr const char* kUnparsed = "unparsed";
inline constexpr const char* kTruncated = "truncated";
inline constexpr const char* kFailed = "failed";
/// Not one of the five: a load test grades nothing, and no accuracy counts such an attempt.
inline constexpr const char* kUngraded = "ungraded";
}  // namespace verdicts

/// When things happened to one request. `scheduled` and `issued` count from the start of the
/// segment (their difference is the wait in our own queue); the others count from `issued`.
/// Absent: it never happened (a failed request has no first token).
struct SampleTiming {
  double scheduled_ms = 0, issued_ms = 0;
  std::optional<double> first_token_ms;         ///< the first token of any kind: TTFT
  std::optional<double> first_answer_token_ms;  ///< the first token after the thinking: TTFO
  std::optional<double> last_token_ms;          ///< E2EL
  /// Arrival of each chunk of output, ascending; empty unless the run was asked to keep them (ITL).
  std::vector<double> chunk_ms;
};

/// One line of samples.jsonl: one attempt at one question.
struct SampleRecord {
  std::string task, question_id;
  std::int64_t attempt = 0;  ///< from 0
  std::int64_t segment = 0;  ///< index into RunRecord::segments
  std::string level, subject;
  std::string prompt_sha256;  ///< of the rendered prompt
  std::string question;       ///< the problem's text, for the sample page; may be empty

  std::string thinking;       ///< may be empty
  std::string output;         ///< the answer part
  std::string output_sha256;  ///< of thinking and output; equal hashes mean the same text
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_tokens = 0;    ///< of the prompt, found in the prefix cache
  std::int64_t output_tokens = 0;    ///< thinking included
  std::int64_t thinking_tokens = 0;  ///< the answer's tokens are output - thinking
  std::string finish_reason;         ///< "eos", "stop", "length", "context", "failed", "cancelled"

  std::string verdict;         ///< one of verdicts::
  std::string extracted;       ///< the answer as found, empty if none
  std::string extraction;      ///< the rule that found it
  std::string reason;          ///< the stage of the grader that decided
  std::string detail;          ///< a sentence for people
  std::string target;          ///< the gold answer
  std::string answer_cluster;  ///< equal within a question: equal answers (maj@k); empty: no answer
  std::string corrected_verdict;  ///< against a corrected gold answer; empty where there is none
  std::string failure;            ///< why the engine could not serve it; empty otherwise
  /// Further attempts at the request after its first, as a server or a worker failed; their time is
  /// within `timing`. Absent where nothing is asked again, and in records of older builds.
  std::optional<std::int64_t> retries;

  SampleTiming timing;

  std::int64_t answer_tokens() const { return output_tokens - thinking_tokens; }
  bool correct() const { return verdict == verdicts::kCorrect; }
  bool graded() const { return verdict != verdicts::kUngraded; }
};

/// One line of steps.jsonl (optional): one forward pass.
struct StepSample {
  std::int64_t segment = 0;
  double begin_ms = 0, end_ms = 0;  ///< from the start of the segment
  std::int64_t prefill_tokens = 0, decode_tokens = 0, sequences = 0;
  std::int64_t kv_tokens_read = 0, activated_experts = 0, weight_bytes_read = 0;
  double flops = 0;
};

}  // namespace moebench
