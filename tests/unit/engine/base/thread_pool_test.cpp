#include "engine/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

namespace moebench {
namespace {

TEST(ThreadPool, RunsEveryChunkOnceAndShowsTheirWrites) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    std::vector<int> runs(1000);
    for (int job = 1; job <= 200; ++job) {
      // Plain ints: run() itself must order the workers' writes before its return.
      pool.run(job * 5, [&](std::int64_t chunk, int thread) {
        ASSERT_GE(thread, 0);
        ASSERT_LT(thread, threads);
        ++runs[static_cast<std::size_t>(chunk)];
      });
      ASSERT_EQ(std::accumulate(runs.begin(), runs.end(), 0), job * 5)
          << "job " << job << " with " << threads << " threads lost or repeated a chunk";
      std::fill(runs.begin(), runs.end(), 0);
    }
  }
}

TEST(ThreadPool, RunsNothingForNoChunks) {
  ThreadPool pool(3);
  pool.run(0, [](std::int64_t, int) { FAIL() << "there was no chunk"; });
}

TEST(ThreadPool, WakesWorkersThatWentToSleep) {
  ThreadPool pool(4);
  for (int job = 0; job < 5; ++job) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));  // far beyond the spin
    std::atomic<int> ran{0};
    pool.run(64, [&](std::int64_t, int) { ++ran; });
    EXPECT_EQ(ran.load(), 64);
  }
}

TEST(ThreadPool, AStuckThreadHoldsUpItsOwnChunkOnly) {
  ThreadPool pool(2);
  std::atomic<int> others{0};
  std::atomic<bool> stuck_saw_all{false};
  pool.run(50, [&](std::int64_t chunk, int) {
    if (chunk != 0) {
      ++others;
      return;
    }
    // Chunk 0 waits until the other 49 are done, which the other thread must do by itself.
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (others.load() < 49 && std::chrono::steady_clock::now() < limit)
      std::this_thread::yield();
    stuck_saw_all = others.load() == 49;
  });
  EXPECT_TRUE(stuck_saw_all.load()) << "chunks were dealt out in advance instead of claimed";
}

}  // namespace
}  // namespace moebench
