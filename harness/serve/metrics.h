#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "engine/engine.h"

namespace moebench {

/// Counts of durations up to each bound, as Prometheus wants them. Thread-safe.
class SecondsHistogram {
 public:
  static constexpr std::array<double, 16> kBounds = {
      0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};
  void add(double seconds);
  /// The lines of one metric.
  std::string to_text(const std::string& name, const std::string& help) const;

 private:
  mutable std::mutex mutex_;
  std::array<std::int64_t, kBounds.size() + 1> counts_{};
  double sum_ = 0;
};

/// What /metrics tells. Members are counted by whoever knows; each is atomic by itself.
struct Metrics {
  std::atomic<std::int64_t> waiting{0}, running{0}, connections{0};
  std::atomic<std::int64_t> prompt_tokens{0}, cached_tokens{0}, output_tokens{0};
  std::atomic<std::int64_t> steps{0}, step_rows{0}, step_seconds_micro{0};
  std::atomic<std::int64_t> disconnects{0};
  std::array<std::atomic<std::int64_t>, 7> finished{};  ///< by FinishReason
  SecondsHistogram first_token_seconds, request_seconds;

  void count_response(const std::string& path, int status);
  /// Prometheus' text format, version 0.0.4.
  std::string to_text(const EngineInfo& engine) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::int64_t> responses_;
};

}  // namespace moebench
