#pragma once

#include "harness/clients/engine_client.h"

namespace moebench {

/// The built-in engine in this process; its step loop has a thread of its own.
class InProcessClient final : public EngineClient {
 public:
  /// Loads the model. Throws what Engine::load throws.
  explicit InProcessClient(const EngineOptions& options);

  const ClientInfo& info() const override { return info_; }
  std::int64_t max_in_flight() const override { return max_in_flight_; }
  void submit(GenerationRequest request) override { engine_->submit(std::move(request)); }
  void cancel(std::uint64_t request_id) override { engine_->cancel(request_id); }
  std::vector<GenerationEvent> next_events(std::chrono::milliseconds timeout) override {
    return engine_->next_events(timeout);
  }
  std::vector<StepRecord> take_step_records() override { return engine_->take_step_records(); }
  std::vector<std::int64_t> expert_token_counts() override {
    return engine_->expert_token_counts();
  }

 private:
  std::unique_ptr<Engine> engine_;
  ClientInfo info_;
  std::int64_t max_in_flight_;
};

}  // namespace moebench
