#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "engine/engine.h"
#include "harness/serve/metrics.h"

namespace moebench {

/// Whoever waits for a group of requests. Called on the dispatcher's thread; must not block.
class EventSink {
 public:
  virtual ~EventSink() = default;
  /// `event.request_id` is the request's place in its group.
  virtual void deliver(GenerationEvent event) = 0;
};

/// The ids of one group at the engine.
struct Ticket {
  std::uint64_t first_id = 0;
  std::size_t n_requests = 0;
};

/// Shares one engine between connections: admits groups of requests while there is room, routes
/// each event to the sink of its group, counts. The engine batches whatever is there. All public
/// calls are thread-safe.
class Dispatcher {
 public:
  /// At most `max_requests` are at the engine, running and waiting. `engine` and `metrics` must
  /// outlive it.
  Dispatcher(Engine& engine, Metrics& metrics, std::int64_t max_requests);
  ~Dispatcher();

  /// Submits the whole group, or nothing when there is no room for it. Each request ends in one
  /// event that says so, unless the sink is gone by then.
  std::optional<Ticket> submit(std::vector<GenerationRequest> requests,
                               const std::shared_ptr<EventSink>& sink);
  /// What of the group still runs is cancelled; its room is free when the engine has let go.
  void cancel(const Ticket& ticket);

  std::int64_t n_in_flight() const;
  /// Whether the engine still serves; false once its step loop has failed.
  bool healthy() const noexcept { return !failed_.load(); }

 private:
  struct Flight {
    std::weak_ptr<EventSink> sink;
    std::uint64_t first_id = 0;
    std::chrono::steady_clock::time_point submitted;
    bool started = false;
  };

  void run();
  void route(GenerationEvent event);
  void fail_all(const std::string& why);
  void take_steps();

  Engine& engine_;
  Metrics& metrics_;
  const std::int64_t max_requests_;
  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, Flight> flights_;  // by the engine's request id
  std::uint64_t next_id_ = 0;
  std::atomic<bool> stop_{false}, failed_{false};
  std::thread thread_;
};

}  // namespace moebench
