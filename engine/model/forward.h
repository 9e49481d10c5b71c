#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/backends/backend.h"
#include "engine/model/model_config.h"
#include "engine/model/weights.h"

namespace moebench {

/// What a forward pass has to be able to hold; its workspace is allocated once for it.
struct ForwardLimits {
  std::int64_t max_tokens = 0;      ///< rows of one step
  std::int64_t max_sequences = 0;   ///< sequences of one step
  std::int64_t max_blocks = 0;      ///< cache pages of one sequence: the widest block table
  std::int64_t max_logit_rows = 0;  ///< rows that logits are wanted of
};

/// One step's rows, in host memory. Rows of one sequence are neighbours, in order of position.
struct ForwardInput {
  std::span<const std::int32_t> token_ids;        // (n_tokens)
  std::span<const std::int32_t> positions;        // (n_tokens)
  std::span<const std::int32_t> sequence_of_row;  // (n_tokens): 0 .. n_sequences - 1
  std::span<const std::int32_t> query_begin;      // (n_sequences + 1)
  std::span<const std::int32_t> context_tokens;   // (n_sequences): cached after this step
  std::span<const std::int32_t> block_table;      // (n_sequences, at most max_blocks)
  std::span<const std::int32_t> logit_rows;       // which rows logits are wanted of
  /// Looked at between layers; when it becomes true the pass is given up (its cache writes are
  /// void).
  const std::atomic<bool>* stop = nullptr;
};

/// The transformer, written once over Backend: what differs between families is in ModelConfig, and
/// a layer's optional parts exist where their weights do. Every op works row by row, so a row's
/// logits depend on its sequence alone (see backend.h). No allocation after construction.
/// Not thread-safe; the config, weights and backend must outlive it.
class Forward {
 public:
  /// Throws Error(kDevice) when the workspace doesn't fit.
  Forward(const ModelConfig& config, const Weights& weights, Backend& backend,
          const ForwardLimits& limits);

  /// Enqueues a pass that writes the rows' keys and values into `cache` (one KvLayer a layer) and
  /// returns the logits (logit_rows, vocab) F32 in the backend's memory, valid until the next call;
  /// no data when the pass was stopped.
  Tensor run(const ForwardInput& input, std::span<const KvLayer> cache);

  /// Tokens routed so far to each expert, (n_moe_layers, max n_experts) I64 in the backend's
  /// memory; no data when no layer is a mixture.
  const Tensor& expert_counts() const noexcept { return expert_counts_; }
  std::int64_t workspace_bytes() const noexcept { return workspace_bytes_; }

  /// The workspace that a Forward of these limits would allocate.
  static std::int64_t workspace_bytes(const ModelConfig& config, const ForwardLimits& limits);

 private:
  struct Inputs;  // a step's integer and angle tensors in the backend's memory

  Tensor workspace(DType dtype, const Shape& shape);
  Inputs upload(const ForwardInput& input);
  /// The ops of a step; no data when it was stopped.
  Tensor enqueue(const Inputs& inputs, std::span<const KvLayer> cache,
                 const std::atomic<bool>* stop);
  void grouped_attention(const AttentionConfig& config, const AttentionWeights& weights,
                         const KvLayer& cache, const Inputs& inputs);
  void latent_attention(const AttentionConfig& config, const AttentionWeights& weights,
                        const KvLayer& cache, const Inputs& inputs);
  void mixture(const MoeConfig& config, const MoeWeights& weights, std::int64_t moe_layer,
               std::int64_t n_tokens);

  const ModelConfig& config_;
  const Weights& weights_;
  Backend& backend_;
  ForwardLimits limits_;
  std::int64_t serial_;  // tells this object's recorded steps from all others'
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::int64_t workspace_bytes_ = 0;

  // Workspace, (max_tokens, ...) unless said otherwise; flat where layers differ in shape.
  Tensor hidden_;          // (max_tokens, hidden): the residual stream
  Tensor normed_;          // (max_tokens, hidden)
  Tensor q_;               // flat: (tokens, heads * head_dim)
  Tensor k_, v_;           // flat: (tokens, kv_heads * head_dim)
  Tensor q_low_rank_;      // flat: (tokens, q_lora_rank)
  Tensor latent_;          // flat: (tokens, kv_lora_rank + qk_rope_dim)
  Tensor q_latent_;        // flat: (tokens, heads, kv_lora_rank + qk_rope_dim)
  Tensor mixed_latent_;    // flat: (tokens, heads, kv_lora_rank): attention over the latents
  Tensor mixed_;           // flat: (tokens, heads * value_dim): attention's output
  Tensor router_logits_;   // flat: (tokens, n_experts)
  Tensor expert_ids_;      // flat I32: (tokens, top_k)
  Tensor expert_weights_;  // flat: (tokens, top_k)
  Tensor gate_logit_;      // (max_tokens, 1)
  Tensor last_hidden_;     // (max_logit_rows, hidden)
  Tensor logits_;          // (max_logit_rows, vocab)
  Tensor counting_;        // I32 0, 1, 2 ...: the identity for gather_rows as a strided copy
  Tensor expert_counts_;   // I64 (n_moe_layers, max n_experts)
  std::vector<std::byte> staging_;  // a step's input, packed for one upload
  std::unique_ptr<Buffer> step_input_;
};

}  // namespace moebench
