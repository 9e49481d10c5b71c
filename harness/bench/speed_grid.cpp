#include "harness/bench/speed_grid.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <random>

#include "engine/base/check.h"
#include "engine/base/error.h"

namespace moebench {

namespace {

using Clock = std::chrono::steady_clock;

// A batch of equal requests, played to its end.
struct Batch {
  Clock::time_point submitted;
  std::map<std::uint64_t, Clock::time_point> first_token, last_token;
  std::vector<std::pair<Clock::time_point, std::int64_t>> tokens;  // when, how many
  std::vector<StepRecord> steps;
};

struct Window {
  Clock::time_point begin, end;
  double seconds() const { return std::chrono::duration<double>(end - begin).count(); }
};

struct Repetition {
  double tokens_per_second = 0, seconds = 0, weight_bytes = 0, flops = 0;
};

Batch play_batch(EngineClient& client, std::int64_t n_sequences, std::int64_t prompt_tokens,
                 std::int64_t max_tokens, std::mt19937& random) {
  std::uniform_int_distribution<std::int32_t> token(
      0, static_cast<std::int32_t>(std::max<std::int64_t>(client.info().engine.vocab, 2)) - 1);
  std::vector<GenerationRequest> requests(static_cast<std::size_t>(n_sequences));
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].id = i;
    requests[i].max_tokens = max_tokens;
    requests[i].ignore_eos = true;
    std::vector<std::int32_t> prompt(static_cast<std::size_t>(prompt_tokens));
    for (std::int32_t& id : prompt) id = token(random);
    requests[i].prompt = std::move(prompt);
  }
  client.take_step_records();

  Batch batch;
  std::map<std::uint64_t, std::int64_t> n_told;  // tokens, by request
  batch.submitted = Clock::now();
  for (GenerationRequest& request : requests) client.submit(std::move(request));
  while (batch.last_token.size() < requests.size()) {
    for (const GenerationEvent& event : client.next_events(std::chrono::milliseconds(100))) {
      if (event.finish == FinishReason::kFailed) {
        throw Error(ErrorCode::kUsage, "the engine refused the request: " + event.failure,
                    "smaller --prompt-tokens, --generate-tokens, --depth or --batch");
      }
      auto n_tokens = static_cast<std::int64_t>(event.tokens.size());
      // A server that tells no ids sends a chunk a token, but none for a part of a character.
      if (n_tokens == 0 && !(event.text_delta + event.thinking_delta).empty()) n_tokens = 1;
      std::int64_t& told = n_told[event.request_id];
      told += n_tokens;
      if (event.finish != FinishReason::kNone && told < event.usage.output_tokens) {
        n_tokens += event.usage.output_tokens - told;
      }
      if (n_tokens > 0) {
        batch.first_token.emplace(event.request_id, event.time);
        batch.tokens.push_back({event.time, n_tokens});
      }
      if (event.finish != FinishReason::kNone) {
        if (event.usage.output_tokens != max_tokens) {
          throw Error(ErrorCode::kInternal,
                      "the engine generated " + std::to_string(event.usage.output_tokens) +
                          " tokens where " + std::to_string(max_tokens) + " were asked for");
        }
        batch.last_token.emplace(event.request_id, event.time);
      }
    }
  }
  batch.steps = client.take_step_records();
  return batch;
}

void add_step_work(Repetition& repetition, const Batch& batch, const Window& window) {
  for (const StepRecord& step : batch.steps) {
    if (step.end <= window.begin || step.end > window.end) continue;
    repetition.weight_bytes += static_cast<double>(step.weight_bytes_read);
    repetition.flops += step.flops;
  }
}

Repetition prefill_once(EngineClient& client, std::int64_t prompt_tokens, std::mt19937& random) {
  const Batch batch = play_batch(client, 1, prompt_tokens, 1, random);
  const Window window{batch.submitted, batch.first_token.at(0)};
  Repetition repetition;
  repetition.seconds = window.seconds();
  repetition.tokens_per_second = static_cast<double>(prompt_tokens) / window.seconds();
  add_step_work(repetition, batch, window);
  return repetition;
}

// From the moment when every sequence has its first token until the first of them ends.
Window common_decode(const Batch& batch) {
  Window window{Clock::time_point::min(), Clock::time_point::max()};
  for (const auto& [id, time] : batch.first_token) window.begin = std::max(window.begin, time);
  for (const auto& [id, time] : batch.last_token) window.end = std::min(window.end, time);
  return window;
}

std::int64_t tokens_within(const Batch& batch, const Window& window) {
  std::int64_t n_tokens = 0;
  for (const auto& [time, count] : batch.tokens) {
    if (time > window.begin && time <= window.end) n_tokens += count;
  }
  return n_tokens;
}

Repetition decode_once(EngineClient& client, std::int64_t n_sequences, std::int64_t depth_tokens,
                       std::int64_t generate_tokens, std::mt19937& random) {
  // The engine starts on the first request while the last is still being submitted; where that (or
  // a long prefill) eats more than half of the common time, the batch is played again.
  constexpr int kTries = 10;
  for (int i = 0; i < kTries; ++i) {
    // One more than counted: the first token belongs to the prefill.
    const Batch batch = play_batch(client, n_sequences, depth_tokens, generate_tokens + 1, random);
    const Window window = common_decode(batch);
    const std::int64_t n_tokens = tokens_within(batch, window);
    if (2 * n_tokens < n_sequences * generate_tokens) continue;
    Repetition repetition;
    repetition.seconds = window.seconds();
    repetition.tokens_per_second = static_cast<double>(n_tokens) / window.seconds();
    add_step_work(repetition, batch, window);
    return repetition;
  }
  throw Error(ErrorCode::kUsage,
              "the sequences of a batch of " + std::to_string(n_sequences) +
                  " hardly decode together: the first is near its end when the last begins",
              "a larger --generate-tokens, or a smaller --batch or --depth");
}

template <class Once>
void repeat(SpeedRow& row, std::int64_t repetitions, Once once) {
  once();  // warms caches, pages and clocks
  double seconds = 0, weight_bytes = 0, flops = 0;
  for (std::int64_t i = 0; i < repetitions; ++i) {
    const Repetition repetition = once();
    row.tokens_per_second.push_back(repetition.tokens_per_second);
    seconds += repetition.seconds;
    weight_bytes += repetition.weight_bytes;
    flops += repetition.flops;
  }
  row.weight_bytes_per_second = weight_bytes / seconds;
  row.flops_per_second = flops / seconds;
}

}  // namespace

double median(std::vector<double> values) {
  MOEBENCH_CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::vector<SpeedRow> measure_speed_grid(EngineClient& client, const SpeedGrid& grid,
                                         const std::function<void(const SpeedRow&)>& done) {
  std::mt19937 random(20240607);  // any; the same prompts every time
  std::vector<SpeedRow> rows;
  for (const std::int64_t prompt_tokens : grid.prompt_tokens) {
    SpeedRow row;
    row.test = "pp" + std::to_string(prompt_tokens);
    row.prompt_tokens = prompt_tokens;
    repeat(row, grid.repetitions, [&] { return prefill_once(client, prompt_tokens, random); });
    done(row);
    rows.push_back(std::move(row));
  }
  for (const std::int64_t depth : grid.depths) {
    for (const std::int64_t generate_tokens : grid.generate_tokens) {
      for (const std::int64_t batch : grid.batches) {
        SpeedRow row;
        row.test = "tg" + std::to_string(generate_tokens);
        if (depth > 1) row.test += " @ d" + std::to_string(depth);
        if (batch > 1) row.test += " x " + std::to_string(batch);
        row.batch = batch;
        row.prompt_tokens = depth;
        row.generate_tokens = generate_tokens;
        repeat(row, grid.repetitions,
               [&] { return decode_once(client, batch, depth, generate_tokens, random); });
        done(row);
        rows.push_back(std::move(row));
      }
    }
  }
  return rows;
}

}  // namespace moebench
