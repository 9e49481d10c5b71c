#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace moebench {

/// A fork-join pool. The calling thread works too; the others spin for a few microseconds between
/// jobs, then sleep on a futex. Chunks are claimed one at a time from one atomic, so a thread that
/// the OS has interrupted delays at most the chunk it holds. What a chunk computes must not depend
/// on who computes it.
///
/// One job at a time: run() is called by one thread, never from inside a chunk.
class ThreadPool {
 public:
  /// `threads` >= 1 counts the caller.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const noexcept { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(chunk, thread) once for every chunk in [0, chunks), thread in [0, threads()), and
  /// returns when all are done; everything they wrote is visible. body must not throw. Chunks start
  /// in ascending order. At most 2^31 chunks.
  template <class Body>
  void run(std::int64_t chunks, Body&& body) noexcept {
    using Plain = std::remove_reference_t<Body>;
    run_job(chunks, const_cast<void*>(static_cast<const void*>(&body)),
            [](void* context, std::int64_t chunk, int thread) noexcept {
              (*static_cast<Plain*>(context))(chunk, thread);
            });
  }

 private:
  using Call = void (*)(void* context, std::int64_t chunk, int thread) noexcept;

  void run_job(std::int64_t chunks, void* context, Call call) noexcept;
  void work(int thread) noexcept;
  bool claim_and_run(std::uint32_t epoch, int thread) noexcept;

  // The open job. `ticket_` holds its number (high half) and the chunks nobody has claimed yet (low
  // half); the other fields only change while that count is zero, so a successful claim proves that
  // they were read unchanged.
  alignas(64) std::atomic<std::uint64_t> ticket_{0};
  std::atomic<std::uint32_t> chunks_{0};
  std::atomic<void*> context_{nullptr};
  std::atomic<Call> call_{nullptr};
  alignas(64) std::atomic<int> done_{0};  // finished chunks of the open job
  std::atomic<int> owner_sleeps_{0};
  alignas(64) std::atomic<int> wake_{0};  // futex word of the workers
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};
  bool may_spin_ = true;
  int owner_calm_jobs_ = 0;
  std::vector<std::thread> workers_;
};

}  // namespace moebench
