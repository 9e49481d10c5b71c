#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "engine/runtime/step_loop.h"
#include "tests/unit/engine/runtime/random_model.h"

namespace moebench {

struct TestRequest {
  std::vector<std::int32_t> prompt;
  SamplingSettings sampling;
  std::int64_t max_tokens = 24;
};

/// What came out of one request: tokens, and the exact bits of log-probabilities beside them.
struct TestResult {
  std::vector<std::int32_t> tokens;
  std::vector<float> logprobs;  ///< of each token and of the best three, which tells logits apart
  FinishReason finish = FinishReason::kNone;
  Usage usage;
  friend bool operator==(const TestResult& a, const TestResult& b) {
    return a.tokens == b.tokens && a.logprobs == b.logprobs && a.finish == b.finish;
  }
};

struct TestRun {
  std::map<std::uint64_t, TestResult> results;  ///< by index of the request
  std::vector<StepRecord> steps;
  std::int64_t preemptions = 0;
};

StepLoopSettings loop_settings(std::int64_t max_sequences, std::int64_t max_step_tokens);

/// Submits requests[i] with id i in the given order and waits for all of them.
TestRun generate(const RandomModel& model, const StepLoopSettings& settings,
                 const std::vector<TestRequest>& requests,
                 const std::vector<std::size_t>& order = {});

/// Prompts of many lengths, some with a common prefix, greedy and sampled.
std::vector<TestRequest> mixed_requests(std::size_t n);

}  // namespace moebench
