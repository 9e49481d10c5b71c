// Gradings a second over the real MATH golds (MOEBENCH_DATA_DIR: the folder with math_test.jsonl).
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "datasets/readers/readers.h"
#include "datasets/verdict.h"
#include "engine/base/error.h"

namespace moebench {
namespace {

const std::vector<Sample>* math_samples(benchmark::State& state) {
  static std::vector<Sample> samples;
  if (samples.empty()) {
    const char* folder = std::getenv("MOEBENCH_DATA_DIR");
    if (folder == nullptr || *folder == '\0') {
      state.SkipWithError("set MOEBENCH_DATA_DIR to a folder with math_test.jsonl");
      return nullptr;
    }
    try {
      samples = read_samples(load_task("math"), folder).samples;
    } catch (const Error& error) {
      state.SkipWithError(error.what());
      return nullptr;
    }
  }
  return &samples;
}

/// The gold against a rewrite of itself that is never the same text: half of them equal by value.
void compare_gold_pairs(benchmark::State& state) {
  const auto* samples = math_samples(state);
  if (!samples) return;
  std::vector<std::string> answers;
  for (const Sample& sample : *samples) answers.push_back("(" + sample.target + ")+0");
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(compare_answers((*samples)[i].target, answers[i]).equal);
    if (++i == samples->size()) i = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(compare_gold_pairs);

/// The gold against the gold of another problem: nearly always different.
void compare_other_golds(benchmark::State& state) {
  const auto* samples = math_samples(state);
  if (!samples) return;
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        compare_answers((*samples)[i].target, (*samples)[(i * 7 + 1) % samples->size()].target)
            .equal);
    if (++i == samples->size()) i = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(compare_other_golds);

/// The whole of it: extraction from the worked solution, then comparison.
void grade_solutions(benchmark::State& state) {
  const auto* samples = math_samples(state);
  if (!samples) return;
  const Task task = load_task("math");
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(grade(task, (*samples)[i], (*samples)[i].solution, false).kind);
    if (++i == samples->size()) i = 0;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(grade_solutions);

}  // namespace
}  // namespace moebench

BENCHMARK_MAIN();
