#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/engine.h"
#include "engine/model/forward.h"
#include "engine/runtime/kv_cache.h"
#include "engine/runtime/page_pool.h"
#include "engine/runtime/scheduler.h"
#include "engine/runtime/step_costs.h"

namespace moebench {

struct StepLoopSettings {
  SchedulerLimits limits;
  std::int64_t max_context_tokens = 0;  ///< of one sequence; fits into n_pages
  std::int64_t n_pages = 0;
  DType kv_type = DType::kF16;
  bool prefix_cache = true;
};

/// Plans, computes and delivers step after step on a thread of its own. All public calls are
/// thread-safe. The destructor stops between two layers of the running step.
class StepLoop {
 public:
  /// The config, weights and backend must outlive it. Throws Error(kDevice) for lack of memory.
  StepLoop(const ModelConfig& config, const Weights& weights, Backend& backend,
           const StepLoopSettings& settings);
  ~StepLoop();

  /// Precondition: prompt_tokens >= 1 and < max_context_tokens.
  void submit(std::unique_ptr<Sequence> sequence);
  /// Delivers the last event of a request that never became a sequence.
  void reject(GenerationEvent event);
  void cancel(std::uint64_t request_id);
  std::vector<GenerationEvent> next_events(std::chrono::milliseconds timeout);
  std::vector<StepRecord> take_step_records();
  std::vector<std::int64_t> expert_token_counts();
  /// How often a sequence had to give its pages back.
  std::int64_t n_preemptions() const noexcept { return n_preemptions_.load(); }

 private:
  struct Rows;  // the step's input arrays

  void run();
  bool take_inbox();
  void cancel_now(std::uint64_t request_id, std::vector<GenerationEvent>& events);
  void step(const Batch& batch);
  void fill_rows(const Batch& batch);
  void score_prompts(const Tensor& logits);
  GenerationEvent deliver(Sequence& sequence, std::int32_t sampled, const float* logits);
  void count_experts(StepRecord& record, bool logits);
  void publish(std::vector<GenerationEvent> events);

  const ModelConfig& config_;
  Backend& backend_;
  std::int64_t max_blocks_;
  PagePool pool_;
  Scheduler scheduler_;
  KvCache cache_;
  Forward forward_;
  StepCosts costs_;
  std::unique_ptr<Buffer> sampled_;  // (max_sequences) I32
  std::unique_ptr<Rows> rows_;
  std::vector<std::int64_t> activated_;            // of each MoE layer, in this step
  std::vector<std::int64_t> counts_, new_counts_;  // (n_moe_layers, n_experts)
  std::vector<float> logits_row_;                  // for log-probabilities

  std::mutex mutex_;  // guards what follows
  std::condition_variable work_arrived_, events_arrived_;
  std::vector<std::unique_ptr<Sequence>> inbox_;
  std::vector<std::uint64_t> cancelled_;
  std::vector<GenerationEvent> outbox_;
  std::chrono::steady_clock::time_point last_wake_;  // of those who wait for events
  std::vector<StepRecord> records_;
  std::vector<std::int64_t> published_counts_;
  std::exception_ptr failure_;
  std::uint64_t next_serial_ = 0;

  std::atomic<bool> stop_{false};
  std::atomic<std::int64_t> n_preemptions_{0};
  std::thread thread_;  // last: starts when everything stands
};

}  // namespace moebench
