#pragma once

#include <deque>

#include "harness/clients/engine_client.h"

namespace moebench {

/// Answers every request with the same two lines: at once, which shows what the harness itself
/// costs, or `answer_time` after the request before it, which makes a slow engine for tests of
/// interruption and resume. Its timings measure no model.
class NullClient final : public EngineClient {
 public:
  NullClient(std::int64_t max_in_flight, std::chrono::milliseconds answer_time);

  const ClientInfo& info() const override { return info_; }
  std::int64_t max_in_flight() const override { return max_in_flight_; }
  void submit(GenerationRequest request) override;
  void cancel(std::uint64_t request_id) override;
  std::vector<GenerationEvent> next_events(std::chrono::milliseconds timeout) override;

 private:
  struct Pending {
    std::uint64_t id;
    std::int64_t prompt_tokens;
    std::chrono::steady_clock::time_point due;
    bool cancelled;
  };

  ClientInfo info_;
  std::int64_t max_in_flight_;
  std::chrono::milliseconds answer_time_;
  std::chrono::steady_clock::time_point last_due_;
  std::deque<Pending> pending_;  // by due time
};

}  // namespace moebench
