#include "reports/gate/metrics.h"

#include "reports/metrics/latency.h"
#include "reports/metrics/throughput.h"

namespace moebench {

const std::vector<GatedMetric>& default_gated_metrics() {
  // CPU time leads: on a shared machine it varies by 2 to 3 % from pair to pair where the wall time
  // varies by 6 to 18 % (ci/gate/README.md). The tails of a few dozen requests are coarse.
  static const std::vector<GatedMetric> metrics = {
      {"cpu_ms_per_token", "CPU time a token", false, 0.03, true, false},
      {"peak_memory_bytes", "peak memory", false, 0.03, true, false},
      {"decode_tokens_per_second", "decode", true, 0.03, false, true},
      {"prefill_tokens_per_second", "prefill", true, 0.03, false, true},
      {"questions_per_hour", "questions an hour", true, 0.03, false, true},
      {"ttft_p50_ms", "TTFT p50", false, 0.05, false, true},
      {"ttft_p99_ms", "TTFT p99", false, 0.10, false, true},
      {"tpot_p50_ms", "TPOT p50", false, 0.05, false, true},
      {"tpot_p99_ms", "TPOT p99", false, 0.10, false, true},
  };
  return metrics;
}

std::map<std::string, double> gate_figures(const LoadedRun& run) {
  std::map<std::string, double> figures;
  const auto put = [&](const char* key, std::optional<double> value) {
    if (value && *value > 0) figures[key] = *value;
  };
  if (run.samples.empty()) return figures;
  const ThroughputMetrics speed = throughput_metrics(run);
  put("decode_tokens_per_second", speed.decode_tokens_per_second);
  put("prefill_tokens_per_second", speed.prefill_tokens_per_second);
  put("questions_per_hour", speed.requests_per_second * 3600);

  double cpu_seconds = 0;
  bool has_cpu = !run.run.segments.empty();
  for (const RunSegment& segment : run.run.segments) {
    has_cpu = has_cpu && segment.cpu_seconds;
    cpu_seconds += segment.cpu_seconds.value_or(0);
  }
  const auto tokens =
      static_cast<double>(speed.tokens.computed_prompt_tokens() + speed.tokens.output_tokens);
  if (has_cpu && tokens > 0) put("cpu_ms_per_token", cpu_seconds * 1000 / tokens);

  const LatencyMetrics latency = latency_metrics(run.samples);
  if (latency.ttft_ms.count > 0) {
    put("ttft_p50_ms", latency.ttft_ms.p50);
    put("ttft_p99_ms", latency.ttft_ms.p99);
  }
  if (latency.tpot_ms.count > 0) {
    put("tpot_p50_ms", latency.tpot_ms.p50);
    put("tpot_p99_ms", latency.tpot_ms.p99);
  }
  if (run.run.peak_memory_bytes)
    put("peak_memory_bytes", static_cast<double>(*run.run.peak_memory_bytes));
  return figures;
}

}  // namespace moebench
