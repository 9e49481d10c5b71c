#include "engine/microbench/ceilings.h"

#include <atomic>
#include <chrono>
#include <memory>

#include "engine/backends/cpu/kernels.h"
#include "engine/backends/cpu/packing.h"
#include "engine/base/thread_pool.h"
#include "engine/microbench/ceilings_avx2.h"

namespace moebench::microbench {
namespace {

using Clock = std::chrono::steady_clock;

/// The best of several tries of work(chunk) over all threads, in units a second.
template <class Work>
double best_rate(ThreadPool& pool, double units, Work&& work) {
  double best = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const auto start = Clock::now();
    pool.run(pool.threads() * 8, work);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = units / seconds > best ? units / seconds : best;
  }
  return best;
}

std::uint64_t read_scalar(const std::byte* data, std::size_t bytes) noexcept {
  std::uint64_t sum = 0;
  const auto* const words = reinterpret_cast<const std::uint64_t*>(data);
  for (std::size_t i = 0; i < bytes / 8; ++i) sum += words[i];
  return sum;
}

}  // namespace

Ceilings measure_ceilings(int threads) {
  ThreadPool pool(threads);
  const bool avx2 = cpu::avx2_kernels() != nullptr;
  const auto chunks = static_cast<double>(threads) * 8;
  std::atomic<std::uint64_t> sink{0};  // what is computed must be used
  Ceilings ceilings;

  constexpr std::size_t kChunkBytes = std::size_t{32} << 20;
  const std::size_t bytes = kChunkBytes * static_cast<std::size_t>(threads) * 8;
  const auto memory = cpu::WeightMemory::allocate(bytes);
  for (std::size_t i = 0; i < bytes; i += 4096) memory.get()[i] = std::byte{1};
  ceilings.read_bytes_per_second =
      best_rate(pool, static_cast<double>(bytes), [&](std::int64_t c, int) {
        const std::byte* const at = memory.get() + static_cast<std::size_t>(c) * kChunkBytes;
        sink += avx2 ? read_avx2(at, kChunkBytes) : read_scalar(at, kChunkBytes);
      });
  if (!avx2) return ceilings;
  constexpr std::int64_t kRounds = 400000;
  ceilings.fma_flops_per_second = best_rate(pool, chunks * kRounds * 160, [&](std::int64_t, int) {
    sink += static_cast<std::uint64_t>(fma_avx2(kRounds));
  });
  ceilings.int8_operations_per_second =
      best_rate(pool, chunks * kRounds * 8 * 64,
                [&](std::int64_t, int) { sink += static_cast<std::uint64_t>(int8_avx2(kRounds)); });
  return ceilings;
}

}  // namespace moebench::microbench
