#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

namespace moebench::cuda {

/// CUDA graphs of decode steps, one a key (batch size, block table's width, ...). A key's first
/// step runs plainly, which also grows the workspace; its second is captured; from then on it is
/// one launch. Keeps the kMaxGraphs that were used last. MOEBENCH_CUDA_GRAPHS=0 turns it off.
class Graphs {
 public:
  explicit Graphs(cudaStream_t stream);
  Graphs(const Graphs&) = delete;
  Graphs& operator=(const Graphs&) = delete;
  ~Graphs();

  /// `generation`: of the workspace (Scratch); graphs of another one are dropped.
  bool replay(std::span<const std::int64_t> key, std::int64_t generation);
  /// Whether the step is being captured: then it runs at end().
  bool begin(std::span<const std::int64_t> key);
  void end(std::int64_t generation);
  std::int64_t n_replays() const noexcept { return n_replays_; }

  static constexpr std::size_t kMaxGraphs = 64;

 private:
  using Key = std::vector<std::int64_t>;
  struct Graph {
    cudaGraphExec_t exec;
    std::int64_t generation, last_used;
  };
  void drop_oldest();

  cudaStream_t stream_;
  bool enabled_;
  std::map<Key, Graph> graphs_;
  std::set<Key> seen_;
  Key recording_;  // empty: not capturing
  std::int64_t n_replays_ = 0, uses_ = 0;
};

}  // namespace moebench::cuda
