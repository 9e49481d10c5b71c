#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/model/model_config.h"

namespace moebench {

// What tells the families apart, one row each. The two readers (Hugging Face config.json, GGUF
// metadata) fill ModelConfig from a row and the checkpoint's own numbers.

enum class BiasRule : std::uint8_t {
  kNever,
  kAlways,            ///< Qwen2: q, k and v have biases, o has none
  kQkvBiasKey,        ///< qkv_bias (default true): q, k, v
  kAttentionBiasKey,  ///< attention_bias (default false): q, k, v and o (MLA: q_a, kv_a and o)
};

enum class SlidingRule : std::uint8_t {
  kNever,
  kEveryLayer,      ///< sliding_window, where it is not null
  kSwitched,        ///< the same, only where use_sliding_window is true (Qwen3-MoE)
  kFromMaxWindow,   ///< layers max_window_layers and up (Qwen2, Qwen3), or layer_types
  kAlternateBelow,  ///< even layers below max_window_layers (Qwen2-MoE), or layer_types
};

enum class MoeRule : std::uint8_t {
  kNone,
  kEveryLayer,      ///< Mixtral, OLMoE
  kSparseStep,      ///< Qwen: decoder_sparse_step, mlp_only_layers
  kAfterFirstDense  ///< DeepSeek: first_k_dense_replace, moe_layer_freq
};

enum class NormalizeRule : std::uint8_t {
  kAlways,
  kNever,    ///< DeepSeek-V2: the reference reads no such key
  kByKey,    ///< norm_topk_prob, default false
  kByKeyOn,  ///< norm_topk_prob, default true
};

struct Family {
  std::string_view name;        ///< ModelConfig::family and Hugging Face's model_type
  std::string_view other_name;  ///< another model_type of the same architecture, or empty
  std::string_view gguf_architecture;
  AttentionKind attention;
  RopePairing pairing;       ///< of Hugging Face's layout
  RopePairing gguf_pairing;  ///< of GGUF's, whose converter permutes some families' q and k
  QkNorm qk_norm;
  BiasRule bias;
  SlidingRule sliding;
  MoeRule moe;
  RouterScoring scoring;
  NormalizeRule normalize;
  bool gguf_normalize;  ///< where GGUF metadata does not say
  bool expert_width_is_intermediate_size;
  double default_rope_theta;  ///< where a config.json does not say
};

std::span<const Family> family_table() noexcept;

/// Checks that hold for every family (divisibility, ranges, top_k within the chosen groups); throws
/// Error(kBadModel) naming `file`.
void check_config(const ModelConfig& config, const std::string& file);

}  // namespace moebench
