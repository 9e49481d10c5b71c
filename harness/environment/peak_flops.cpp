// Compiled with -ffp-contract=fast: a * b + c below has to become one instruction.

#include "harness/environment/peak_flops.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

namespace moebench {

namespace {

constexpr std::size_t kChains =
    12;  // independent sums, enough to hide the latency of a multiply-add
constexpr std::int64_t kRounds = 2'000'000;

template <int kWidth>
using Vector [[gnu::vector_size(kWidth * sizeof(float))]] = float;

// The same loop for each width; always inlined, so that it takes the caller's instruction set, and
// the chains spelt out, so that they stay in registers.
template <int kWidth, std::size_t... kChain>
[[gnu::always_inline]] inline float multiply_add(std::index_sequence<kChain...>) {
  Vector<kWidth> sums[sizeof...(kChain)], factor, term;
  for (int lane = 0; lane < kWidth; ++lane) {
    factor[lane] = 0.999F;
    term[lane] = 0.001F * static_cast<float>(lane + 1);
  }
  // Different from the start: equal chains would be computed once.
  ((sums[kChain] = term * static_cast<float>(kChain + 1)), ...);
  for (std::int64_t round = 0; round < kRounds; ++round)
    ((sums[kChain] = sums[kChain] * factor + term), ...);
  return (sums[kChain][0] + ...);
}

using Chains = std::make_index_sequence<kChains>;
using Kernel = float (*)();

#if defined(__x86_64__)
[[gnu::target("avx512f")]] float multiply_add_avx512() { return multiply_add<16>(Chains()); }
[[gnu::target("avx2,fma")]] float multiply_add_avx2() { return multiply_add<8>(Chains()); }
#endif
float multiply_add_baseline() { return multiply_add<4>(Chains()); }

}  // namespace

PeakFlops measure_peak_flops(int threads) {
  Kernel kernel = multiply_add_baseline;
  int width = 4;
  const char* name = "baseline, multiply and add apart";
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    kernel = multiply_add_avx512;
    width = 16;
    name = "AVX-512";
  } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    kernel = multiply_add_avx2;
    width = 8;
    name = "AVX2";
  }
#endif
  constexpr int kPasses = 5;
  std::atomic<float> sink = 0;
  double best_seconds = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> workers;
    for (int i = 0; i < threads; ++i) workers.emplace_back([&] { sink = kernel(); });
    for (std::thread& worker : workers) worker.join();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    best_seconds = pass == 0 ? seconds : std::min(best_seconds, seconds);
  }
  PeakFlops peak;
  peak.flops_per_second = 2.0 * static_cast<double>(kChains) * static_cast<double>(kRounds) *
                          width * threads / best_seconds;
  peak.how = "multiply-adds in f32, " + std::to_string(width) + " wide (" + name + "), " +
             std::to_string(threads) + " threads, best of " + std::to_string(kPasses) +
             "; products of int8 can exceed it";
  return peak;
}

}  // namespace moebench
