#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/backends/backend.h"
#include "engine/backends/cpu/matmul.h"

namespace moebench::cpu {

/// The experts of a layer. An expert's gate and up panels alternate in memory, so that one task
/// computes both halves of the columns that its SwiGLU needs while it reads one stream.
class PackedExperts final : public Weight {
 public:
  PackedExperts(const ExpertSources& sources, ThreadPool& pool);
  std::size_t size_bytes() const noexcept override { return bytes_; }
  std::int64_t count() const noexcept { return count_; }
  std::int64_t hidden() const noexcept { return down_.n; }
  std::int64_t width() const noexcept { return down_.k; }
  PanelMatrix gate(std::int64_t e) const noexcept { return of_expert(gate_, e, up_gate_bytes_); }
  PanelMatrix up(std::int64_t e) const noexcept { return of_expert(up_, e, up_gate_bytes_); }
  PanelMatrix down(std::int64_t e) const noexcept { return of_expert(down_, e, down_bytes_); }

 private:
  static PanelMatrix of_expert(PanelMatrix m, std::int64_t e, std::size_t bytes) noexcept {
    m.data += static_cast<std::size_t>(e) * bytes;
    return m;
  }

  std::int64_t count_ = 0;
  PanelMatrix gate_, up_, down_;  // of expert 0
  std::size_t up_gate_bytes_ = 0, down_bytes_ = 0, bytes_ = 0;
  std::shared_ptr<std::byte> memory_;
};

/// Runs gated MLPs: rows grouped by expert, gate, up and SwiGLU in one pass (rounded to what the
/// down projection multiplies with at once), then the down projection by column, each output column
/// adding its experts in ascending order.
class ExpertRunner {
 public:
  ExpertRunner(const Kernels& kernels, ThreadPool& pool);

  /// Backend::experts.
  void routed(const Tensor& out, const Tensor& x, const PackedExperts& experts,
              const Tensor& expert_ids, const Tensor& expert_weights);
  /// Backend::gated_mlp.
  void single(const Tensor& out, const Tensor& x, const PackedExperts& expert, bool accumulate,
              const Tensor* gate_logit);

 private:
  struct Group {
    std::int64_t expert, first, count;  // of rows_, weights_
  };
  void run(const Tensor& out, const Tensor& x, const PackedExperts& experts, bool accumulate);

  const Kernels& kernels_;
  ThreadPool& pool_;
  RowForms forms_;
  std::vector<Group> groups_;         // active experts, ascending
  std::vector<std::int64_t> begins_;  // (n_experts + 1): first pair of each expert
  std::vector<std::int32_t> rows_;    // row of x of each (row, expert) pair, grouped by expert
  std::vector<std::int32_t> pairs_;   // 0, 1, 2, ...
  std::vector<float> weights_;        // of each pair
  Int8Rows hidden_int8_;              // SwiGLU's output, one row a pair
  Scratch<float> hidden_f32_;
  Scratch<float> columns_;  // per thread: SwiGLU's output before rounding
};

}  // namespace moebench::cpu
