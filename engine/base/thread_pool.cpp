#include "engine/base/thread_pool.h"

#include <chrono>

#include "engine/base/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace moebench {
namespace {

// How long a thread spins for the next job (or for the last chunk) before it sleeps: longer than
// the serial stretches between two ops of a decode step, shorter than a futex round trip costs.
constexpr auto kSpin = std::chrono::microseconds(40);
// A gap this long between two looks at the clock means that the OS ran something else on this core:
// the machine is oversubscribed, and spinning takes time from whom we wait for.
constexpr auto kPreempted = std::chrono::microseconds(200);
constexpr int kJobsWithoutSpinning = 200;

void pause() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

/// Spins until ready() or the time is over; `calm_jobs` counts down the jobs for which this thread
/// stays calm after it has seen itself preempted. Whether it became ready.
template <class Ready>
bool spin_until(Ready ready, bool may_spin, int& calm_jobs) noexcept {
  if (ready()) return true;
  if (!may_spin) return false;
  if (calm_jobs > 0) {
    --calm_jobs;
    return false;
  }
  const auto start = std::chrono::steady_clock::now();
  auto last = start;
  for (;;) {
    for (int i = 0; i < 8; ++i) {
      pause();
      if (ready()) return true;
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - last > kPreempted) {
      calm_jobs = kJobsWithoutSpinning;
      return ready();
    }
    if (now - start > kSpin) return ready();
    last = now;
  }
}

constexpr std::uint32_t epoch_of(std::uint64_t ticket) noexcept {
  return static_cast<std::uint32_t>(ticket >> 32);
}
constexpr std::uint32_t unclaimed(std::uint64_t ticket) noexcept {
  return static_cast<std::uint32_t>(ticket);
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  MOEBENCH_CHECK(threads >= 1);
  const unsigned cores = std::thread::hardware_concurrency();
  may_spin_ = cores == 0 || static_cast<unsigned>(threads) <= cores;
  workers_.reserve(static_cast<std::size_t>(threads - 1));
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  wake_.fetch_add(1);
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

bool ThreadPool::claim_and_run(std::uint32_t epoch, int thread) noexcept {
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  for (;;) {
    if (epoch_of(ticket) != epoch || unclaimed(ticket) == 0) return false;
    const std::uint32_t chunks = chunks_.load(std::memory_order_relaxed);
    void* const context = context_.load(std::memory_order_relaxed);
    const Call call = call_.load(std::memory_order_relaxed);
    if (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel,
                                       std::memory_order_acquire))
      continue;
    call(context, chunks - unclaimed(ticket), thread);
    if (done_.fetch_add(1) + 1 == static_cast<int>(chunks) && owner_sleeps_.load() != 0)
      done_.notify_all();
    return true;
  }
}

void ThreadPool::run_job(std::int64_t chunks, void* context, Call call) noexcept {
  MOEBENCH_CHECK(chunks >= 0 && chunks <= INT32_MAX);
  if (workers_.empty() || chunks <= 1) {
    for (std::int64_t i = 0; i < chunks; ++i) call(context, i, 0);
    return;
  }
  const std::uint32_t epoch = epoch_of(ticket_.load(std::memory_order_relaxed)) + 1;
  done_.store(0);
  chunks_.store(static_cast<std::uint32_t>(chunks), std::memory_order_relaxed);
  context_.store(context, std::memory_order_relaxed);
  call_.store(call, std::memory_order_relaxed);
  ticket_.store(static_cast<std::uint64_t>(epoch) << 32 | static_cast<std::uint64_t>(chunks));
  if (sleepers_.load() > 0) {
    wake_.fetch_add(1);
    wake_.notify_all();
  }
  while (claim_and_run(epoch, 0)) {
  }
  const int all = static_cast<int>(chunks);
  const auto finished = [&] { return done_.load(std::memory_order_acquire) == all; };
  while (!spin_until(finished, may_spin_, owner_calm_jobs_)) {
    owner_sleeps_.store(1);
    const int seen = done_.load();
    if (seen != all) done_.wait(seen);
    owner_sleeps_.store(0);
  }
}

void ThreadPool::work(int thread) noexcept {
  std::uint32_t seen = 0;
  int calm_jobs = 0;
  const auto ready = [&] {
    return epoch_of(ticket_.load(std::memory_order_acquire)) != seen || stop_.load();
  };
  for (;;) {
    while (!spin_until(ready, may_spin_, calm_jobs)) {
      const int word = wake_.load();
      sleepers_.fetch_add(1);
      if (!ready()) wake_.wait(word);
      sleepers_.fetch_sub(1);
    }
    if (stop_.load()) return;
    seen = epoch_of(ticket_.load(std::memory_order_acquire));
    while (claim_and_run(seen, thread)) {
    }
  }
}

}  // namespace moebench
