#include "engine/model/tensor_table.h"

#include <algorithm>
#include <array>

namespace moebench {
namespace {

/// {L} stands for the layer's number, {E} for the expert's. Empty: the naming has no such tensor.
struct Names {
  TensorRole role;
  std::string_view hugging_face, hugging_face_other;
  std::string_view gguf, gguf_other;
};

using enum TensorRole;

constexpr std::array<Names, 41> kNames = {{
    {kEmbedding, "model.embed_tokens.weight", "", "token_embd.weight", ""},
    {kOutputNorm, "model.norm.weight", "", "output_norm.weight", ""},
    {kLmHead, "lm_head.weight", "", "output.weight", ""},
    {kAttentionNorm, "model.layers.{L}.input_layernorm.weight", "", "blk.{L}.attn_norm.weight", ""},
    {kQ, "model.layers.{L}.self_attn.q_proj.weight", "", "blk.{L}.attn_q.weight", ""},
    {kK, "model.layers.{L}.self_attn.k_proj.weight", "", "blk.{L}.attn_k.weight", ""},
    {kV, "model.layers.{L}.self_attn.v_proj.weight", "", "blk.{L}.attn_v.weight", ""},
    {kQBias, "model.layers.{L}.self_attn.q_proj.bias", "", "blk.{L}.attn_q.bias", ""},
    {kKBias, "model.layers.{L}.self_attn.k_proj.bias", "", "blk.{L}.attn_k.bias", ""},
    {kVBias, "model.layers.{L}.self_attn.v_proj.bias", "", "blk.{L}.attn_v.bias", ""},
    {kQNorm, "model.layers.{L}.self_attn.q_norm.weight", "", "blk.{L}.attn_q_norm.weight", ""},
    {kKNorm, "model.layers.{L}.self_attn.k_norm.weight", "", "blk.{L}.attn_k_norm.weight", ""},
    {kQA, "model.layers.{L}.self_attn.q_a_proj.weight", "", "blk.{L}.attn_q_a.weight", ""},
    {kQABias, "model.layers.{L}.self_attn.q_a_proj.bias", "", "blk.{L}.attn_q_a.bias", ""},
    {kQANorm, "model.layers.{L}.self_attn.q_a_layernorm.weight", "", "blk.{L}.attn_q_a_norm.weight",
     ""},
    {kQB, "model.layers.{L}.self_attn.q_b_proj.weight", "", "blk.{L}.attn_q_b.weight", ""},
    {kKvA, "model.layers.{L}.self_attn.kv_a_proj_with_mqa.weight", "",
     "blk.{L}.attn_kv_a_mqa.weight", ""},
    {kKvABias, "model.layers.{L}.self_attn.kv_a_proj_with_mqa.bias", "",
     "blk.{L}.attn_kv_a_mqa.bias", ""},
    {kKvANorm, "model.layers.{L}.self_attn.kv_a_layernorm.weight", "",
     "blk.{L}.attn_kv_a_norm.weight", ""},
    {kKvB, "model.layers.{L}.self_attn.kv_b_proj.weight", "", "blk.{L}.attn_kv_b.weight", ""},
    {kKB, "", "", "blk.{L}.attn_k_b.weight", ""},
    {kVB, "", "", "blk.{L}.attn_v_b.weight", ""},
    {kO, "model.layers.{L}.self_attn.o_proj.weight", "", "blk.{L}.attn_output.weight", ""},
    {kOBias, "model.layers.{L}.self_attn.o_proj.bias", "", "blk.{L}.attn_output.bias", ""},
    {kMlpNorm, "model.layers.{L}.post_attention_layernorm.weight", "", "blk.{L}.ffn_norm.weight",
     ""},
    {kDenseGate, "model.layers.{L}.mlp.gate_proj.weight", "", "blk.{L}.ffn_gate.weight", ""},
    {kDenseUp, "model.layers.{L}.mlp.up_proj.weight", "", "blk.{L}.ffn_up.weight", ""},
    {kDenseDown, "model.layers.{L}.mlp.down_proj.weight", "", "blk.{L}.ffn_down.weight", ""},
    {kRouter, "model.layers.{L}.mlp.gate.weight", "model.layers.{L}.block_sparse_moe.gate.weight",
     "blk.{L}.ffn_gate_inp.weight", ""},
    {kSelectionBias, "model.layers.{L}.mlp.gate.e_score_correction_bias", "",
     "blk.{L}.exp_probs_b.bias", "blk.{L}.exp_probs_b"},
    {kExpertGate, "model.layers.{L}.mlp.experts.{E}.gate_proj.weight",
     "model.layers.{L}.block_sparse_moe.experts.{E}.w1.weight", "blk.{L}.ffn_gate.{E}.weight", ""},
    {kExpertUp, "model.layers.{L}.mlp.experts.{E}.up_proj.weight",
     "model.layers.{L}.block_sparse_moe.experts.{E}.w3.weight", "blk.{L}.ffn_up.{E}.weight", ""},
    {kExpertDown, "model.layers.{L}.mlp.experts.{E}.down_proj.weight",
     "model.layers.{L}.block_sparse_moe.experts.{E}.w2.weight", "blk.{L}.ffn_down.{E}.weight", ""},
    {kExpertsGate, "", "", "blk.{L}.ffn_gate_exps.weight", ""},
    {kExpertsUp, "", "", "blk.{L}.ffn_up_exps.weight", ""},
    {kExpertsDown, "model.layers.{L}.mlp.experts.down_proj",
     "model.layers.{L}.block_sparse_moe.experts.down_proj", "blk.{L}.ffn_down_exps.weight", ""},
    {kExpertsGateUp, "model.layers.{L}.mlp.experts.gate_up_proj",
     "model.layers.{L}.block_sparse_moe.experts.gate_up_proj", "blk.{L}.ffn_gate_up_exps.weight",
     ""},
    {kSharedGate, "model.layers.{L}.mlp.shared_experts.gate_proj.weight",
     "model.layers.{L}.mlp.shared_expert.gate_proj.weight", "blk.{L}.ffn_gate_shexp.weight", ""},
    {kSharedUp, "model.layers.{L}.mlp.shared_experts.up_proj.weight",
     "model.layers.{L}.mlp.shared_expert.up_proj.weight", "blk.{L}.ffn_up_shexp.weight", ""},
    {kSharedDown, "model.layers.{L}.mlp.shared_experts.down_proj.weight",
     "model.layers.{L}.mlp.shared_expert.down_proj.weight", "blk.{L}.ffn_down_shexp.weight", ""},
    {kSharedSwitch, "model.layers.{L}.mlp.shared_expert_gate.weight", "",
     "blk.{L}.ffn_gate_inp_shexp.weight", ""},
}};

std::string filled(std::string_view pattern, std::int64_t layer, std::int64_t expert) {
  std::string name;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '{') {
      name += std::to_string(pattern[i + 1] == 'L' ? layer : expert);
      i += 2;
    } else {
      name += pattern[i];
    }
  }
  return name;
}

/// Whether `name` is `pattern` with numbers in its places, perhaps with more behind it.
bool begins_as(std::string_view name, std::string_view pattern) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '{') {
      if (at >= name.size() || name[at++] != pattern[i]) return false;
      continue;
    }
    const std::size_t begin = at;
    while (at < name.size() && name[at] >= '0' && name[at] <= '9') ++at;
    if (at == begin) return false;
    i += 2;
  }
  return true;
}

std::optional<Shape> attention_shape(TensorRole role, const AttentionConfig& a,
                                     std::int64_t hidden) {
  const bool latent = a.kind == AttentionKind::kLatent;
  const std::int64_t head = latent ? a.qk_nope_dim + a.qk_rope_dim : a.head_dim;
  const std::int64_t q_rows = a.n_heads * head, kv_rows = a.n_kv_heads * head;
  const std::int64_t o_columns = a.n_heads * (latent ? a.value_dim : a.head_dim);
  const bool low_rank = latent && a.q_lora_rank > 0;
  const auto when = [](bool there, const Shape& shape) {
    return there ? std::optional<Shape>(shape) : std::nullopt;
  };
  switch (role) {
    case kAttentionNorm:
      return Shape{hidden};
    case kQ:
      return when(!low_rank, {q_rows, hidden});
    case kK:
    case kV:
      return when(!latent, {kv_rows, hidden});
    case kQBias:
      return when(!latent && a.qkv_bias, {q_rows});
    case kKBias:
    case kVBias:
      return when(!latent && a.qkv_bias, {kv_rows});
    case kQNorm:
      return when(a.qk_norm != QkNorm::kNone, {a.qk_norm == QkNorm::kPerHead ? head : q_rows});
    case kKNorm:
      return when(a.qk_norm != QkNorm::kNone, {a.qk_norm == QkNorm::kPerHead ? head : kv_rows});
    case kQA:
      return when(low_rank, {a.q_lora_rank, hidden});
    case kQABias:
      return when(low_rank && a.qkv_bias, {a.q_lora_rank});
    case kQANorm:
      return when(low_rank, {a.q_lora_rank});
    case kQB:
      return when(low_rank, {q_rows, a.q_lora_rank});
    case kKvA:
      return when(latent, {a.kv_lora_rank + a.qk_rope_dim, hidden});
    case kKvABias:
      return when(latent && a.qkv_bias, {a.kv_lora_rank + a.qk_rope_dim});
    case kKvANorm:
      return when(latent, {a.kv_lora_rank});
    case kKvB:
      return when(latent, {a.n_heads * (a.qk_nope_dim + a.value_dim), a.kv_lora_rank});
    case kKB:
      return when(latent, {a.n_heads, a.kv_lora_rank, a.qk_nope_dim});
    case kVB:
      return when(latent, {a.n_heads, a.value_dim, a.kv_lora_rank});
    case kO:
      return Shape{hidden, o_columns};
    case kOBias:
      return when(a.output_bias, {hidden});
    default:
      return std::nullopt;
  }
}

std::optional<Shape> moe_shape(TensorRole role, const MoeConfig& moe, std::int64_t hidden) {
  const std::int64_t n = moe.router.n_experts, width = moe.expert_width, shared = moe.shared_width;
  const auto when = [](bool there, const Shape& shape) {
    return there ? std::optional<Shape>(shape) : std::nullopt;
  };
  switch (role) {
    case kRouter:
      return Shape{n, hidden};
    case kSelectionBias:
      return when(moe.has_selection_bias, {n});
    case kExpertGate:
    case kExpertUp:
      return Shape{width, hidden};
    case kExpertDown:
      return Shape{hidden, width};
    case kExpertsGate:
    case kExpertsUp:
      return Shape{n, width, hidden};
    case kExpertsDown:
      return Shape{n, hidden, width};
    case kExpertsGateUp:
      return Shape{n, 2 * width, hidden};
    case kSharedGate:
    case kSharedUp:
      return when(shared > 0, {shared, hidden});
    case kSharedDown:
      return when(shared > 0, {hidden, shared});
    case kSharedSwitch:
      return when(moe.shared_gate, {1, hidden});
    default:
      return std::nullopt;
  }
}

}  // namespace

std::vector<std::string> tensor_names(TensorRole role, TensorNaming naming, std::int64_t layer,
                                      std::int64_t expert) {
  std::vector<std::string> names;
  for (const Names& row : kNames) {
    if (row.role != role) continue;
    const bool gguf = naming == TensorNaming::kGguf;
    for (const std::string_view pattern :
         {gguf ? row.gguf : row.hugging_face, gguf ? row.gguf_other : row.hugging_face_other}) {
      if (!pattern.empty()) names.push_back(filled(pattern, layer, expert));
    }
  }
  return names;
}

bool is_routed_expert(std::string_view name) {
  static constexpr std::array kRoles = {kExpertGate, kExpertUp,    kExpertDown,   kExpertsGate,
                                        kExpertsUp,  kExpertsDown, kExpertsGateUp};
  return std::any_of(kNames.begin(), kNames.end(), [&](const Names& row) {
    if (std::find(kRoles.begin(), kRoles.end(), row.role) == kRoles.end()) return false;
    for (const std::string_view pattern :
         {row.hugging_face, row.hugging_face_other, row.gguf, row.gguf_other})
      if (!pattern.empty() && begins_as(name, pattern)) return true;
    return false;
  });
}

std::optional<Shape> expected_shape(TensorRole role, const ModelConfig& config,
                                    const LayerConfig* layer) {
  const std::int64_t hidden = config.hidden;
  switch (role) {
    case kEmbedding:
      return Shape{config.vocab, hidden};
    case kOutputNorm:
      return Shape{hidden};
    case kLmHead:
      return config.tied_embeddings ? std::nullopt
                                    : std::optional<Shape>(Shape{config.vocab, hidden});
    case kMlpNorm:
      return Shape{hidden};
    case kDenseGate:
    case kDenseUp:
      if (layer->moe) return std::nullopt;
      return Shape{layer->dense_width, hidden};
    case kDenseDown:
      if (layer->moe) return std::nullopt;
      return Shape{hidden, layer->dense_width};
    default:
      break;
  }
  if (role >= kRouter) {
    return layer->moe ? moe_shape(role, *layer->moe, hidden) : std::nullopt;
  }
  return attention_shape(role, layer->attention, hidden);
}

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.rank(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + ")";
}

}  // namespace moebench
