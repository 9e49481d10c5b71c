#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/backends/backend.h"

namespace moebench {

// A model's description: numbers and enums that the one forward pass reads. families.cpp fills it
// from a Hugging Face config.json or from GGUF metadata; a key that asks for something unknown is
// an error that names the key, never a default.

enum class AttentionKind : std::uint8_t {
  kGrouped,  ///< multi-head or grouped-query attention
  kLatent    ///< DeepSeek's multi-head latent attention (MLA), arXiv 2405.04434 section 2.1
};

enum class QkNorm : std::uint8_t {
  kNone,
  kPerHead,   ///< Qwen3: RMSNorm over each head
  kFullWidth  ///< OLMoE: RMSNorm over all heads together
};

enum class RopeScalingKind : std::uint8_t { kNone, kLinear, kLlama3, kYarn };

/// How a model's rotary embedding is stretched beyond the context it was trained on.
struct RopeScaling {
  RopeScalingKind kind = RopeScalingKind::kNone;
  double factor = 1.0;
  double original_positions = 0.0;  ///< kLlama3, kYarn: the context before stretching
  // kLlama3
  double low_frequency_factor = 1.0;
  double high_frequency_factor = 4.0;
  // kYarn; arXiv 2309.00071, with DeepSeek's mscale options (0: not given)
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  double mscale = 0.0;
  double mscale_all_dim = 0.0;
  double attention_factor = 0.0;  ///< 0: derived from factor and the mscales
  bool truncate = true;           ///< whole dimensions as the ramp's ends
};

struct RopeConfig {
  RopePairing pairing = RopePairing::kHalves;
  std::int64_t dim = 0;                  ///< rotated elements of a head
  std::vector<float> inverse_frequency;  ///< (dim / 2), after any scaling (YaRN, Llama-3, linear)
  float magnitude = 1.0f;                ///< factor on cos and sin (YaRN's attention factor)
  // What the two above were computed from, for those who write the model down again. Llama 3's
  // scaling is not known (kNone) where a GGUF gave its frequencies' divisors instead.
  double theta = 0.0;
  RopeScaling scaling;
};

struct AttentionConfig {
  AttentionKind kind = AttentionKind::kGrouped;
  std::int64_t n_heads = 0;
  float scale = 0.0f;  ///< on q k^T; includes MLA's squared YaRN magnitude
  std::int64_t sliding_window_tokens = 0;
  bool qkv_bias = false;
  bool output_bias = false;
  QkNorm qk_norm = QkNorm::kNone;
  // kGrouped
  std::int64_t n_kv_heads = 0;
  std::int64_t head_dim = 0;
  // kLatent
  std::int64_t q_lora_rank = 0;  ///< 0: q_proj without a low-rank step
  std::int64_t kv_lora_rank = 0;
  std::int64_t qk_nope_dim = 0;
  std::int64_t qk_rope_dim = 0;
  std::int64_t value_dim = 0;
  /// Of q_a_norm and kv_a_norm: DeepSeek's code fixes it, whatever rms_norm_eps says.
  float latent_norm_epsilon = 1e-6f;
};

struct MoeConfig {
  RouterOptions router;
  bool has_selection_bias = false;
  std::int64_t expert_width = 0;
  std::int64_t shared_width = 0;  ///< all shared experts together; 0: none
  bool shared_gate = false;       ///< Qwen2-MoE: shared output times sigmoid(x . gate)
};

struct LayerConfig {
  AttentionConfig attention;
  std::optional<MoeConfig> moe;  ///< absent: a dense layer
  std::int64_t dense_width = 0;
};

struct ModelConfig {
  std::string family;  ///< "deepseek_v3", "qwen3_moe", "llama", ...
  std::int64_t hidden = 0;
  std::int64_t vocab = 0;
  std::int64_t max_positions = 0;
  float rms_epsilon = 0.0f;
  bool tied_embeddings = false;
  RopeConfig rope;
  std::vector<LayerConfig> layers;

  /// Tile of weights that shares one scale in FP8 checkpoints (weight_scale_inv); 0: no FP8.
  std::int64_t fp8_tile_rows = 0;
  std::int64_t fp8_tile_columns = 0;
  /// Layers beyond layers.size() that the checkpoint may hold and the engine leaves out
  /// (multi-token prediction).
  std::int64_t prediction_layers = 0;
  std::vector<std::string> notes;  ///< what a user may want to know: keys that were ignored
};

}  // namespace moebench
