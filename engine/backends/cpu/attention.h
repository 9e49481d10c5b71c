#pragma once

#include <cstdint>
#include <vector>

#include "engine/backends/backend.h"
#include "engine/backends/cpu/kernels.h"
#include "engine/backends/cpu/workspace.h"
#include "engine/base/thread_pool.h"

namespace moebench::cpu {

/// Backend::attention: tasks of up to 8 query vectors that share a KV head of one sequence (heads
/// of a row, then the next row's), so that a cache block is read once for all of them.
class AttentionRunner {
 public:
  AttentionRunner(const Kernels& kernels, ThreadPool& pool) : kernels_(kernels), pool_(pool) {}

  void run(const Tensor& out, const Tensor& q, const KvLayer& cache, const AttentionBatch& batch,
           const AttentionOptions& options);
  void write(const KvLayer& cache, const Tensor& keys, const Tensor& values,
             const AttentionBatch& batch);

 private:
  struct Task {
    std::int32_t sequence, kv_head, first_vector, count;
  };

  const Kernels& kernels_;
  ThreadPool& pool_;
  std::vector<Task> tasks_;
  Scratch<float> scratch_;
};

}  // namespace moebench::cpu
