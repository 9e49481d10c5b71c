#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "harness/clients/engine_client.h"
#include "harness/clients/worker_process.h"

namespace moebench {

struct WorkerSettings {
  std::vector<std::string> command;    ///< the worker's program and its arguments
  std::vector<EngineOptions> engines;  ///< what each worker loads: one model on different devices
  /// A worker that has requests and makes no step for this long is taken for hung.
  std::chrono::milliseconds stall_limit{std::chrono::minutes(5)};
  /// What a worker that dies without having finished a request is given until it is left alone.
  int most_deaths_in_a_row = 6;
};

/// `n_workers` workers of this very program. On the CPU each gets `options` as they are; from
/// "cuda:K" on, each gets the next GPU. Throws Error(kUsage) when they would share all cores.
WorkerSettings own_workers(const EngineOptions& options, std::int64_t n_workers);

/// The built-in engine in child processes, one a model or GPU. A worker that crashes, hangs or runs
/// out of memory costs this process nothing: it is started again, and the requests that it held are
/// asked again, one at a time, so that the one to blame is found. A request that has brought down a
/// worker twice while it was alone in it ends as kFailed; its neighbours end as if nothing had
/// happened. Events of a request are handed on when it has ended, so a lost try leaves no trace in
/// them; their times are of the step, as in process.
class WorkerClient final : public EngineClient {
 public:
  /// Starts the workers and waits until all have loaded. Throws what loading threw there, or
  /// Error(kDevice) when a worker died of it.
  explicit WorkerClient(WorkerSettings settings);
  ~WorkerClient() override;

  const ClientInfo& info() const override { return info_; }
  std::int64_t max_in_flight() const override;
  void submit(GenerationRequest request) override;
  void cancel(std::uint64_t request_id) override;
  /// Throws Error(kDevice) once every worker has died too often in a row.
  std::vector<GenerationEvent> next_events(std::chrono::milliseconds timeout) override;
  std::vector<StepRecord> take_step_records() override { return std::exchange(steps_, {}); }
  std::vector<std::int64_t> expert_token_counts() override;
  std::int64_t peak_memory_bytes_elsewhere() override;
  std::vector<RequestRetries> take_retries() override { return std::exchange(retries_, {}); }
  std::vector<std::string> take_warnings() override { return std::exchange(warnings_, {}); }

 private:
  using Clock = std::chrono::steady_clock;

  struct Request {
    GenerationRequest request;
    Clock::time_point submitted;
    std::vector<GenerationEvent> events;  // of the try that is under way
    std::int64_t retries = 0;
    int deaths_alone = 0;  // of workers that held no other request
    bool cancelled = false;
  };
  enum class Phase { kStarting, kLoading, kServing, kDead, kGivenUp };
  struct Worker {
    EngineOptions options;
    std::unique_ptr<WorkerProcess> process;
    Phase phase = Phase::kDead;
    Clock::time_point since, progress;  // when the phase began; when a step was last told
    std::vector<std::uint64_t> in_flight;
    bool holds_suspect = false;
    int deaths_in_a_row = 0;
    std::vector<std::int64_t> expert_counts, earlier_expert_counts;
    std::int64_t peak_memory_bytes = 0;
  };

  void start(Worker& worker);
  void take_news(Worker& worker);
  // The handlers return what is wrong with the message; empty: nothing.
  std::string on_ready(Worker& worker, const ClientInfo& info);
  std::string on_events(Worker& worker, EventsMessage& message);
  void close(Worker& worker, std::uint64_t id);
  void watch(Worker& worker);
  void bury(Worker& worker, const std::string& cause);
  void fail(std::uint64_t id, FinishReason finish, const std::string& why);
  void feed();
  bool give(Worker& worker, std::uint64_t id);
  std::size_t number(const Worker& worker) const;

  WorkerSettings settings_;
  ClientInfo info_;
  bool loaded_ = false;  // info_ is what the first worker told
  std::vector<Worker> workers_;
  std::unordered_map<std::uint64_t, Request> requests_;
  std::deque<std::uint64_t> waiting_;   // for a place in a worker
  std::deque<std::uint64_t> suspects_;  // were in a worker that died: each is asked again alone
  std::vector<GenerationEvent> outbox_;
  std::vector<StepRecord> steps_;
  std::vector<RequestRetries> retries_;
  std::vector<std::string> warnings_;
};

}  // namespace moebench
