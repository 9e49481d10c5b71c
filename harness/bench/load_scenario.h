#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "harness/clients/engine_client.h"
#include "harness/run/plan.h"
#include "reports/record/run_record.h"
#include "reports/record/sample_record.h"

namespace moebench {

/// When the requests of a load test are sent.
struct Arrivals {
  enum class Kind : std::uint8_t {
    kOffline,      ///< all at once
    kConcurrency,  ///< so many in flight; the next when one ends
    kPoisson,      ///< at random moments with a mean rate, whatever is in flight
  };
  Kind kind = Kind::kOffline;
  double requests_per_second = 0;  ///< kPoisson
  std::int64_t max_in_flight = 0;  ///< kConcurrency; of kPoisson an optional limit, 0: none
};

/// "offline", "concurrency:8", "poisson:2.5". Throws Error(kUsage) for anything else.
Arrivals parse_arrivals(const std::string& text);
/// "offline", "concurrency-8", "poisson-2.5": for folders.
std::string arrivals_name(const Arrivals& arrivals);

/// What is asked, the same in every test that is made from the same arguments.
struct LoadRequests {
  TaskRecord task;    ///< what the samples' task and the comparisons' hashes are
  std::string words;  ///< "512 random tokens, 64 generated"
  std::vector<GenerationRequest> requests;  ///< ids 0, 1, ...
  std::vector<std::string> question_ids;    ///< one a request, all different
};

/// Prompts of random tokens; the end-of-sequence token is ignored, so every request generates
/// `generate_tokens`. An engine that doesn't tell its vocabulary gets random short words, about a
/// token each.
LoadRequests random_requests(const EngineInfo& engine, std::int64_t count,
                             std::int64_t prompt_tokens, std::int64_t generate_tokens,
                             std::uint64_t seed);

/// The questions of the plan's only task in their order, from the start again where `count` is
/// larger; they end where the model ends them.
LoadRequests task_requests(const RunPlan& plan, std::int64_t count);

/// Seconds from the start at which each of `count` requests arrives: exponential gaps of mean
/// 1 / rate, the first one after a gap too. The same seed gives the same moments on every machine.
std::vector<double> poisson_arrivals(std::int64_t count, double requests_per_second,
                                     std::uint64_t seed);

struct LoadResult {
  std::vector<SampleRecord> samples;  ///< in the order in which they ended; ungraded
  std::vector<StepRecord> steps;
  std::chrono::steady_clock::time_point start;  ///< what `scheduled_ms` and `issued_ms` count from
};

/// Plays the requests. Of each, the scheduled, issued and done times and every chunk's are kept;
/// what fails is a sample with its failure. `tick` is called about ten times a second. Throws Error
/// when the client can serve nothing any more.
LoadResult play_load(EngineClient& client, const LoadRequests& load, const Arrivals& arrivals,
                     std::uint64_t seed, const std::function<void(std::int64_t done)>& tick);

}  // namespace moebench
