#include "tests/unit/engine/runtime/generation.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace moebench {

StepLoopSettings loop_settings(std::int64_t max_sequences, std::int64_t max_step_tokens) {
  StepLoopSettings settings;
  settings.limits = {max_sequences, max_step_tokens};
  settings.max_context_tokens = 256;
  settings.n_pages = max_sequences * 8;
  settings.kv_type = DType::kF16;
  return settings;
}

TestRun generate(const RandomModel& model, const StepLoopSettings& settings,
                 const std::vector<TestRequest>& requests, const std::vector<std::size_t>& order) {
  std::vector<std::size_t> sequence = order;
  if (sequence.empty()) {
    sequence.resize(requests.size());
    std::iota(sequence.begin(), sequence.end(), 0u);
  }
  StepLoop loop(model.config, model.weights, *model.backend, settings);
  for (const std::size_t i : sequence) {
    const TestRequest& request = requests[i];
    auto s = std::make_unique<Sequence>();
    s->request_id = i;
    s->sampling = request.sampling;
    s->top_logprobs = 3;
    s->tokens = request.prompt;
    s->prompt_tokens = s->n_tokens();
    OutputLimits limits;
    limits.max_tokens = request.max_tokens;
    limits.max_context_tokens = settings.max_context_tokens;
    s->output = std::make_unique<Output>(nullptr, StreamDecoderOptions{}, limits, s->prompt_tokens);
    loop.submit(std::move(s));
  }

  TestRun run;
  std::size_t ended = 0;
  while (ended < sequence.size()) {
    const auto events = loop.next_events(std::chrono::milliseconds(60000));
    EXPECT_FALSE(events.empty()) << "no event within a minute: the step loop hangs";
    if (events.empty()) break;
    for (const GenerationEvent& event : events) {
      TestResult& result = run.results[event.request_id];
      result.tokens.insert(result.tokens.end(), event.tokens.begin(), event.tokens.end());
      for (const TokenLogprobs& l : event.logprobs) {
        result.logprobs.push_back(l.logprob);
        for (const auto& [id, logprob] : l.top) result.logprobs.push_back(logprob);
      }
      if (event.finish == FinishReason::kNone) continue;
      result.finish = event.finish;
      result.usage = event.usage;
      ++ended;
    }
  }
  run.steps = loop.take_step_records();
  run.preemptions = loop.n_preemptions();
  return run;
}

std::vector<TestRequest> mixed_requests(std::size_t n) {
  std::mt19937 bits(7);
  const auto token = [&] { return static_cast<std::int32_t>(bits() % 256u); };
  std::vector<std::int32_t> preamble(70);
  for (auto& t : preamble) t = token();
  std::vector<TestRequest> requests(n);
  for (std::size_t i = 0; i < n; ++i) {
    if (i % 3 != 0) requests[i].prompt = preamble;
    const std::size_t own = 1 + bits() % 45u;
    for (std::size_t k = 0; k < own; ++k) requests[i].prompt.push_back(token());
    requests[i].max_tokens = 10 + static_cast<std::int64_t>(bits() % 30u);
    if (i % 2 == 0) continue;
    requests[i].sampling = {0.9, 0.95, 40, 1234, i};
  }
  return requests;
}

}  // namespace moebench
