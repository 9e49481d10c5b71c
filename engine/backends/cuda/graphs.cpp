#include "engine/backends/cuda/graphs.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "engine/backends/cuda/cuda_error.h"

namespace moebench::cuda {
namespace {

constexpr std::size_t kMaxSeen = 4096;

bool wanted() {
  const char* const setting = std::getenv("MOEBENCH_CUDA_GRAPHS");
  return setting == nullptr || std::string_view(setting) != "0";
}

}  // namespace

Graphs::Graphs(cudaStream_t stream) : stream_(stream), enabled_(wanted()) {}

Graphs::~Graphs() {
  for (auto& [key, graph] : graphs_) cudaGraphExecDestroy(graph.exec);
}

bool Graphs::replay(std::span<const std::int64_t> key, std::int64_t generation) {
  const auto found = graphs_.find(Key(key.begin(), key.end()));
  if (found == graphs_.end()) return false;
  if (found->second.generation != generation) {
    check(cudaStreamSynchronize(stream_), "dropping a graph");
    cudaGraphExecDestroy(found->second.exec);
    graphs_.erase(found);
    return false;
  }
  check(cudaGraphLaunch(found->second.exec, stream_), "starting a graph");
  found->second.last_used = ++uses_;
  ++n_replays_;
  return true;
}

bool Graphs::begin(std::span<const std::int64_t> key) {
  if (!enabled_) return false;
  Key wanted_key(key.begin(), key.end());
  if (seen_.size() >= kMaxSeen) seen_.clear();
  if (seen_.insert(wanted_key).second) return false;  // its first step
  check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "capturing a step");
  recording_ = std::move(wanted_key);
  return true;
}

void Graphs::end(std::int64_t generation) {
  if (recording_.empty()) return;
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream_, &graph), "capturing a step");
  cudaGraphExec_t exec = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&exec, graph, 0);
  cudaGraphDestroy(graph);
  check(status, "preparing a graph");
  if (graphs_.size() >= kMaxGraphs) drop_oldest();
  graphs_[std::exchange(recording_, {})] = {exec, generation, ++uses_};
  check(cudaGraphLaunch(exec, stream_), "starting a graph");
}

void Graphs::drop_oldest() {
  const auto oldest = std::min_element(
      graphs_.begin(), graphs_.end(),
      [](const auto& a, const auto& b) { return a.second.last_used < b.second.last_used; });
  check(cudaStreamSynchronize(stream_), "dropping a graph");
  cudaGraphExecDestroy(oldest->second.exec);
  graphs_.erase(oldest);
}

}  // namespace moebench::cuda
