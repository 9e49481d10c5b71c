#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/backends/backend.h"
#include "engine/formats/checkpoint.h"
#include "engine/model/model_config.h"

namespace moebench {

// The weights of a model, prepared by a backend, by role. A pointer is null where the model has no
// such tensor. Kinds: M = prepare_matrix, V = prepare_vector, E = prepare_embedding, H =
// prepare_head_matrices, X = prepare_experts.

struct AttentionWeights {
  std::unique_ptr<Weight> norm;  // V (hidden): before attention
  // kGrouped, and q of kLatent without a low-rank step
  std::unique_ptr<Weight> q;       // M (n_heads * head_dim, hidden)
  std::unique_ptr<Weight> k;       // M (n_kv_heads * head_dim, hidden)
  std::unique_ptr<Weight> v;       // M (n_kv_heads * head_dim, hidden)
  std::unique_ptr<Weight> q_bias;  // V (n_heads * head_dim)
  std::unique_ptr<Weight> k_bias;  // V (n_kv_heads * head_dim)
  std::unique_ptr<Weight> v_bias;  // V (n_kv_heads * head_dim)
  std::unique_ptr<Weight> q_norm;  // V (head_dim), or (n_heads * head_dim) for QkNorm::kFullWidth
  std::unique_ptr<Weight> k_norm;  // V (head_dim), or (n_kv_heads * head_dim)
  // kLatent; head = qk_nope_dim + qk_rope_dim, the rotary part last
  std::unique_ptr<Weight> q_a;         // M (q_lora_rank, hidden)
  std::unique_ptr<Weight> q_a_norm;    // V (q_lora_rank)
  std::unique_ptr<Weight> q_b;         // M (n_heads * head, q_lora_rank)
  std::unique_ptr<Weight> kv_a;        // M (kv_lora_rank + qk_rope_dim, hidden)
  std::unique_ptr<Weight> kv_a_norm;   // V (kv_lora_rank)
  std::unique_ptr<Weight> key_absorb;  // H (n_heads, kv_lora_rank, qk_nope_dim): query -> latent
  std::unique_ptr<Weight> value_up;    // H (n_heads, value_dim, kv_lora_rank): latent -> value
  std::unique_ptr<Weight> q_a_bias;    // V (q_lora_rank), where attention_bias is set
  std::unique_ptr<Weight> kv_a_bias;  // V (kv_lora_rank + qk_rope_dim), where attention_bias is set

  std::unique_ptr<Weight> o;       // M (hidden, n_heads * (head_dim or value_dim))
  std::unique_ptr<Weight> o_bias;  // V (hidden)
};

struct MoeWeights {
  std::unique_ptr<Weight> router;          // M (n_experts, hidden)
  std::unique_ptr<Weight> selection_bias;  // V (n_experts)
  std::unique_ptr<Weight> experts;         // X n_experts experts
  std::unique_ptr<Weight> shared;          // X one expert of shared_width
  std::unique_ptr<Weight> shared_gate;     // M (1, hidden)
  std::int64_t expert_bytes = 0;           ///< of one routed expert, as kept
};

struct LayerWeights {
  AttentionWeights attention;
  std::unique_ptr<Weight> mlp_norm;  // V (hidden)
  std::unique_ptr<Weight> dense;     // X one expert of dense_width; null in MoE layers
  std::optional<MoeWeights> moe;
};

/// Bytes as kept by the backend (its own copy, or the mapped file where it uses that as is).
struct WeightBytes {
  std::int64_t embedding = 0;
  std::int64_t attention = 0;
  std::int64_t dense_mlp = 0;
  std::int64_t shared_experts = 0;
  std::int64_t routed_experts = 0;
  std::int64_t router = 0;
  std::int64_t lm_head = 0;
  std::int64_t norms = 0;

  std::int64_t total() const noexcept { return embedding + always_read() + routed_experts; }
  /// What every forward pass reads, whatever the router chose.
  std::int64_t always_read() const noexcept {
    return attention + dense_mlp + shared_experts + router + lm_head + norms;
  }
};

struct Weights {
  // What the prepared weights may point into: first, so that it goes last.
  std::shared_ptr<const ModelFiles> files;
  std::vector<std::unique_ptr<std::byte[]>> converted;

  std::unique_ptr<Weight> embedding;    // E (vocab, hidden)
  std::unique_ptr<Weight> output_norm;  // V (hidden)
  std::unique_ptr<Weight> lm_head;      // M (vocab, hidden); set for tied embeddings too
  std::vector<LayerWeights> layers;

  std::int64_t total_parameters = 0;   ///< tied embeddings counted once
  std::int64_t active_parameters = 0;  ///< multiplied for each token: embedding lookup apart
  WeightBytes bytes;
  std::string matrix_types;        ///< what matrices are kept in: "q8_0" or "bf16, f32"
  std::vector<std::string> notes;  ///< tensors skipped on purpose, types substituted
};

/// Matches every tensor of the checkpoint with the model's tensor table (tensor_table.h), checks
/// shapes, and has the backend prepare them. `requantize` turns the matrices (not norms, biases,
/// routers) into that type first; where a row's length does not allow it, into q8_0 or f16, with a
/// note. Mapped pages that the backend copied are released as it goes. Throws Error(kBadModel) that
/// names the tensor: missing, unexpected, of a wrong shape, of an unsupported type.
Weights load_weights(const ModelConfig& config, const Checkpoint& checkpoint, Backend& backend,
                     std::optional<DType> requantize = std::nullopt);

/// Numbers cached per token, all layers together (times the cache type's bytes).
std::int64_t kv_values_per_token(const ModelConfig& config);

}  // namespace moebench
