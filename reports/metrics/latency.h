#pragma once

#include <optional>
#include <span>
#include <string>

#include "reports/record/sample_record.h"
#include "reports/statistics/percentile.h"

namespace moebench {

// Definitions as vLLM's benchmark, MLPerf and AIPerf state them; `issued` is the request's start.

/// First response - request start.
std::optional<double> ttft_ms(const SampleRecord& sample);
/// First token after the thinking - request start (AIPerf's TTFO).
std::optional<double> ttfo_ms(const SampleRecord& sample);
/// (E2E latency - TTFT) / (output tokens - 1); undefined for fewer than 2 output tokens.
std::optional<double> tpot_ms(const SampleRecord& sample);
/// Last response - request start.
std::optional<double> e2el_ms(const SampleRecord& sample);
/// 1000 / TPOT: tokens/s as one user sees them (InferenceX).
std::optional<double> interactivity_tokens_per_second(const SampleRecord& sample);

/// Over the requests where a figure is defined (its count says how many). A count of 0: nowhere.
struct LatencyMetrics {
  Distribution ttft_ms, ttfo_ms, tpot_ms, e2el_ms, interactivity_tokens_per_second;
  Distribution itl_ms;    ///< gaps between chunks, pooled over all requests; needs chunk_ms
  Distribution queue_ms;  ///< issued - scheduled: the wait in our own queue
  /// The same from the scheduled time, with that wait (MLPerf's server scenario).
  Distribution scheduled_ttft_ms, scheduled_e2el_ms;
};
LatencyMetrics latency_metrics(std::span<const SampleRecord> samples);

/// Limits a request must meet, all of them, to count as good.
struct ServiceLevel {
  std::optional<double> ttft_ms, ttfo_ms, tpot_ms, e2el_ms;
};

/// "ttft:2000 tpot:80" (also separated by commas; milliseconds). Throws Error(kUsage) that names
/// what it can't read.
ServiceLevel parse_service_level(const std::string& text);

/// The same of several words, as a command line has them; nothing of none.
std::optional<ServiceLevel> parse_service_level(std::span<const std::string> words);

/// "TTFT at most 2,000 ms, TPOT at most 80 ms"
std::string service_level_words(const ServiceLevel& limits);

struct Goodput {
  std::int64_t good_requests = 0, requests = 0;
  double requests_per_second = 0;  ///< good requests / duration
};
/// TTFT, TTFO and E2EL are held to their limits from the scheduled time, so a request that we kept
/// waiting is not good. A request without a figure that a limit is set on (failed, a single token)
/// meets it only where the figure is undefined by its definition (TPOT of one token), as vLLM
/// counts it.
Goodput goodput(std::span<const SampleRecord> samples, const ServiceLevel& limits,
                double duration_seconds);

}  // namespace moebench
