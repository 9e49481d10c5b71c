#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "reports/record/record_files.h"

namespace moebench {

struct TokenTotals {
  std::int64_t requests = 0;
  std::int64_t prompt_tokens = 0, cached_tokens = 0, output_tokens = 0, thinking_tokens = 0;
  std::int64_t computed_prompt_tokens() const { return prompt_tokens - cached_tokens; }
  std::int64_t answer_tokens() const { return output_tokens - thinking_tokens; }
};
TokenTotals count_tokens(std::span<const SampleRecord> samples);

/// First issue to last response, summed over the run's segments (the pause between being killed and
/// being resumed is no work).
double wall_seconds(std::span<const SampleRecord> samples);

/// How the machine's time is divided between prefill and decode. Of each pass its whole time goes
/// to what it did; a mixed pass is divided by its rows (tokens). Where an engine shows no passes,
/// by the requests' own times: up to the first token, and after it.
struct PhaseTime {
  double prefill_seconds = 0, decode_seconds = 0;
  std::string rule;  ///< the sentence that a report prints
  bool from_steps = false;
  double prefill_share() const { return prefill_seconds / (prefill_seconds + decode_seconds); }
};
/// Absent where there is neither a step nor a finished request.
std::optional<PhaseTime> phase_time(const LoadedRun& run);

struct ThroughputMetrics {
  TokenTotals tokens;
  double wall_seconds = 0;
  double output_tokens_per_second = 0;  ///< output tokens / wall time
  double total_tokens_per_second = 0;   ///< prompt (cached included) and output / wall time
  double requests_per_second = 0;
  std::optional<double> prefill_tokens_per_second;  ///< computed prompt tokens / prefill time
  std::optional<double> decode_tokens_per_second;   ///< generated tokens / decode time
};
ThroughputMetrics throughput_metrics(const LoadedRun& run);

/// What the engine reached of what the machine can do, over the passes of one kind.
struct Utilisation {
  std::string kind;  ///< "prefill", "decode", "mixed"
  double bytes_per_second = 0, flops_per_second = 0;
  std::optional<double> s_mbu, s_mfu;  ///< absent where the peak is not known
};
/// MoE-CAP's sparse utilisation (arXiv 2412.07067): weights of the experts that a pass touched,
/// once each, plus the KV bytes it read, over its time and the peak; FLOPs of what was touched
/// likewise.
std::vector<Utilisation> utilisation(const RunRecord& run);

}  // namespace moebench
