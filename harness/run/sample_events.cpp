#include "harness/run/sample_events.h"

#include "datasets/fetch/sha256.h"

namespace moebench {

bool add_event(SampleRecord& record, GenerationEvent& event, double now_ms, bool chunk_times) {
  if (!event.tokens.empty() || !event.text_delta.empty() || !event.thinking_delta.empty()) {
    if (!record.timing.first_token_ms) record.timing.first_token_ms = now_ms;
    // Tokens may decode to nothing: only text shows that the answer has begun.
    if (!event.text_delta.empty() && !record.timing.first_answer_token_ms)
      record.timing.first_answer_token_ms = now_ms;
    record.timing.last_token_ms = now_ms;
    if (chunk_times) record.timing.chunk_ms.push_back(now_ms);
  }
  record.thinking += event.thinking_delta;
  record.output += event.text_delta;
  if (event.finish == FinishReason::kNone) return false;
  record.finish_reason = finish_name(event.finish);
  record.prompt_tokens = event.usage.prompt_tokens;
  record.cached_tokens = event.usage.cached_tokens;
  record.output_tokens = event.usage.output_tokens;
  record.thinking_tokens = event.usage.thinking_tokens;
  record.failure = std::move(event.failure);
  if (event.finish == FinishReason::kFailed && record.failure.empty())
    record.failure = "the engine gave no reason";
  record.output_sha256 = sha256_hex(record.thinking + '\0' + record.output);
  return true;
}

}  // namespace moebench
