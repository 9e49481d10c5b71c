#include "reports/metrics/throughput.h"

#include <algorithm>
#include <map>

namespace moebench {

TokenTotals count_tokens(std::span<const SampleRecord> samples) {
  TokenTotals totals;
  for (const SampleRecord& sample : samples) {
    ++totals.requests;
    totals.prompt_tokens += sample.prompt_tokens;
    totals.cached_tokens += sample.cached_tokens;
    totals.output_tokens += sample.output_tokens;
    totals.thinking_tokens += sample.thinking_tokens;
  }
  return totals;
}

double wall_seconds(std::span<const SampleRecord> samples) {
  std::map<std::int64_t, std::pair<double, double>> segments;  // first issue, last response
  for (const SampleRecord& sample : samples) {
    if (!sample.timing.last_token_ms) continue;
    const double begin = sample.timing.issued_ms, end = begin + *sample.timing.last_token_ms;
    const auto [it, is_new] = segments.emplace(sample.segment, std::pair(begin, end));
    if (is_new) continue;
    it->second.first = std::min(it->second.first, begin);
    it->second.second = std::max(it->second.second, end);
  }
  double seconds = 0;
  for (const auto& [segment, times] : segments) seconds += (times.second - times.first) / 1000;
  return seconds;
}

std::optional<PhaseTime> phase_time(const LoadedRun& run) {
  PhaseTime time;
  for (const StepKindSummary& kind : run.run.steps) {
    const double prefill = static_cast<double>(kind.prefill_tokens);
    const double rows = prefill + static_cast<double>(kind.decode_tokens);
    if (rows <= 0) continue;
    // A record without the passes' own division gets that of all passes of the kind together.
    const double of_prefill = kind.prefill_seconds.value_or(kind.seconds * prefill / rows);
    time.prefill_seconds += of_prefill;
    time.decode_seconds += kind.seconds - of_prefill;
  }
  if (time.prefill_seconds + time.decode_seconds > 0) {
    time.from_steps = true;
    time.rule =
        "machine time is divided between prefill and decode by the engine's own passes: a pass "
        "that did both is divided by its rows, idle time in the same proportion";
    return time;
  }
  for (const SampleRecord& sample : run.samples) {
    if (!sample.timing.first_token_ms || !sample.timing.last_token_ms) continue;
    time.prefill_seconds += *sample.timing.first_token_ms / 1000;
    time.decode_seconds += (*sample.timing.last_token_ms - *sample.timing.first_token_ms) / 1000;
  }
  if (time.prefill_seconds + time.decode_seconds <= 0) return std::nullopt;
  time.rule =
      "the engine shows no passes, so machine time is divided between prefill and decode as the "
      "requests spent theirs: before the first token, and after it";
  return time;
}

ThroughputMetrics throughput_metrics(const LoadedRun& run) {
  ThroughputMetrics metrics;
  metrics.tokens = count_tokens(run.samples);
  metrics.wall_seconds = wall_seconds(run.samples);
  if (metrics.wall_seconds > 0) {
    const double prompt = static_cast<double>(metrics.tokens.prompt_tokens);
    const double output = static_cast<double>(metrics.tokens.output_tokens);
    metrics.output_tokens_per_second = output / metrics.wall_seconds;
    metrics.total_tokens_per_second = (prompt + output) / metrics.wall_seconds;
    metrics.requests_per_second =
        static_cast<double>(metrics.tokens.requests) / metrics.wall_seconds;
  }
  const auto phases = phase_time(run);
  if (phases && phases->from_steps) {
    double prefill_tokens = 0, decode_tokens = 0;
    for (const StepKindSummary& kind : run.run.steps) {
      prefill_tokens += static_cast<double>(kind.prefill_tokens);
      decode_tokens += static_cast<double>(kind.decode_tokens);
    }
    if (phases->prefill_seconds > 0)
      metrics.prefill_tokens_per_second = prefill_tokens / phases->prefill_seconds;
    if (phases->decode_seconds > 0)
      metrics.decode_tokens_per_second = decode_tokens / phases->decode_seconds;
  }
  return metrics;
}

std::vector<Utilisation> utilisation(const RunRecord& run) {
  std::vector<Utilisation> result;
  for (const StepKindSummary& kind : run.steps) {
    if (kind.seconds <= 0 || (kind.weight_bytes_read == 0 && kind.flops == 0)) continue;
    Utilisation u;
    u.kind = kind.kind;
    const double kv_bytes = static_cast<double>(kind.kv_tokens_read) *
                            static_cast<double>(run.model.kv_bytes_per_token);
    u.bytes_per_second = (static_cast<double>(kind.weight_bytes_read) + kv_bytes) / kind.seconds;
    u.flops_per_second = kind.flops / kind.seconds;
    if (run.environment.peak_bytes_per_second && kind.weight_bytes_read > 0)
      u.s_mbu = u.bytes_per_second / *run.environment.peak_bytes_per_second;
    if (run.environment.peak_flops && kind.flops > 0)
      u.s_mfu = u.flops_per_second / *run.environment.peak_flops;
    result.push_back(u);
  }
  return result;
}

}  // namespace moebench
