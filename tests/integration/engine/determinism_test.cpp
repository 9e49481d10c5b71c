// The contract of bit-identical results on the CPU backend: threads, batches, chunks, prefix cache
// and preemption, on random models in F32 and through the quantised kernels.

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <string>
#include <tuple>

#include "engine/backends/cpu/cpu_backend.h"
#include "tests/unit/engine/runtime/generation.h"

namespace moebench {
namespace {

void expect_same(const TestRun& run, const TestRun& expected, const std::string& what) {
  ASSERT_EQ(run.results.size(), expected.results.size()) << what;
  for (const auto& [id, result] : run.results)
    EXPECT_TRUE(result == expected.results.at(id))
        << what << ": request " << id << " got other tokens or other bits of logits";
}

class DeterminismOf : public testing::TestWithParam<std::tuple<RandomModelKind, DType>> {
 protected:
  static RandomModel model(int threads) {
    return make_random_model(std::get<0>(GetParam()), make_cpu_backend(threads),
                             std::get<1>(GetParam()));
  }
};

TEST_P(DeterminismOf, ThreadsBatchesAndNeighboursChangeNoBit) {
  const auto requests = mixed_requests(70);
  const TestRun alone = generate(model(1), loop_settings(1, 512), requests);
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), 0u);
  std::mt19937 bits(11);
  for (const int threads : {1, 2, 4}) {
    const RandomModel on_threads = model(threads);
    for (const std::int64_t batch : {2, 7, 16, 64}) {
      for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[bits() % i]);
      expect_same(
          generate(on_threads, loop_settings(batch, 512), requests, order), alone,
          "batch of " + std::to_string(batch) + ", " + std::to_string(threads) + " threads");
    }
  }
}

TEST_P(DeterminismOf, ChunksChangeNoBit) {
  const auto requests = mixed_requests(8);
  const RandomModel m = model(2);
  const TestRun whole = generate(m, loop_settings(1, 512), requests);
  for (const std::int64_t chunk : {1, 17, 64})
    expect_same(generate(m, loop_settings(1, chunk), requests), whole,
                "chunks of " + std::to_string(chunk));
}

TEST_P(DeterminismOf, PrefixCacheAndPreemptionChangeNoBit) {
  auto requests = mixed_requests(24);
  for (TestRequest& request : requests) request.max_tokens += 60;
  const RandomModel m = model(2);
  StepLoopSettings off = loop_settings(8, 128);
  off.prefix_cache = false;
  const TestRun without = generate(m, off, requests);
  expect_same(generate(m, loop_settings(8, 128), requests), without, "prefix cache");
  StepLoopSettings tight = loop_settings(8, 128);
  tight.n_pages = 8;
  const TestRun cramped = generate(m, tight, requests);
  EXPECT_GT(cramped.preemptions, 0) << "the test has to force preemption";
  expect_same(cramped, without, "tiny cache");
}

std::string case_name(
    const testing::TestParamInfo<std::tuple<RandomModelKind, DType>>& param_info) {
  const char* const kinds[] = {"LatentMixture", "GroupedMixture", "Dense"};
  return std::string(kinds[static_cast<int>(std::get<0>(param_info.param))]) + "_" +
         std::string(name(std::get<1>(param_info.param)));
}

INSTANTIATE_TEST_SUITE_P(Models, DeterminismOf,
                         testing::Combine(testing::Values(RandomModelKind::kLatentMixture,
                                                          RandomModelKind::kGroupedMixture,
                                                          RandomModelKind::kDense),
                                          testing::Values(DType::kF32, DType::kQ8_0, DType::kQ4_0)),
                         case_name);

}  // namespace
}  // namespace moebench
