#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "harness/clients/engine_client.h"

namespace moebench {

/// What `moebench bench` measures: prefill of each of `prompt_tokens`, and decode of each of
/// `generate_tokens` behind each of `depths` at each of `batches`. Prompts are random tokens, the
/// end-of-sequence token is ignored and the prefix cache must be off, so nothing depends on what a
/// model has to say.
struct SpeedGrid {
  std::vector<std::int64_t> prompt_tokens = {512};
  std::vector<std::int64_t> generate_tokens = {64};
  std::vector<std::int64_t> batches = {1, 4, 8, 16, 32};
  std::vector<std::int64_t> depths = {1};  ///< tokens before the decoded ones, at least 1
  std::int64_t repetitions = 5;            ///< counted ones; one more warms up
};

/// One line of the grid.
struct SpeedRow {
  std::string test;  ///< "pp512", "tg64", "tg64 x 8", "tg64 @ d4096 x 8"
  std::int64_t batch = 1, prompt_tokens = 0, generate_tokens = 0;
  std::vector<double> tokens_per_second;  ///< one a repetition, in order
  /// Over the same time: what the forward passes read and computed, by the engine's own count.
  /// 0 where it does not tell.
  double weight_bytes_per_second = 0, flops_per_second = 0;
};

/// Prefill: prompt tokens / (first token's time - submission). Decode: from the moment when every
/// sequence of the batch has its first token until the first of them ends, the tokens that came in
/// that window / its length. Calls `done` after each row. Throws Error when a request fails.
std::vector<SpeedRow> measure_speed_grid(EngineClient& client, const SpeedGrid& grid,
                                         const std::function<void(const SpeedRow&)>& done);

/// Middle value, or the mean of the two middle ones. `values` must not be empty.
double median(std::vector<double> values);

}  // namespace moebench
