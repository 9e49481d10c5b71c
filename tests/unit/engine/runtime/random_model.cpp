#include "tests/unit/engine/runtime/random_model.h"

#include <cmath>
#include <random>
#include <vector>

#include "engine/tensor/convert.h"

namespace moebench {
namespace {

constexpr std::int64_t kHidden = 64, kVocab = 256, kHeads = 4, kHeadDim = 16, kExperts = 16;
constexpr std::int64_t kExpertWidth = 32;

/// Random tensors, prepared by the backend; their bytes stay with the weights.
class Maker {
 public:
  Maker(Backend& backend, DType type, Weights& weights)
      : backend_(backend), type_(type), weights_(weights) {}

  std::unique_ptr<Weight> matrix(std::int64_t n, std::int64_t k, float scale = 1.0f) {
    return backend_.prepare_matrix(tensor({n, k}, type_, scale / std::sqrt(static_cast<float>(k))));
  }
  std::unique_ptr<Weight> router(std::int64_t n, std::int64_t k) {
    return backend_.prepare_matrix(tensor({n, k}, DType::kF32, 0.5f));
  }
  std::unique_ptr<Weight> embedding(std::int64_t n, std::int64_t k) {
    return backend_.prepare_embedding(tensor({n, k}, type_, 1.0f));
  }
  std::unique_ptr<Weight> vector(std::int64_t n, float center, float spread) {
    return backend_.prepare_vector(tensor({n}, DType::kF32, spread, center));
  }
  std::unique_ptr<Weight> heads(std::int64_t count, std::int64_t n, std::int64_t k) {
    return backend_.prepare_head_matrices(
        tensor({count, n, k}, DType::kF32, 1.0f / std::sqrt(static_cast<float>(k))), type_);
  }
  std::unique_ptr<Weight> experts(std::int64_t count, std::int64_t width) {
    std::vector<TensorView> gate, up, down;
    for (std::int64_t e = 0; e < count; ++e) {
      gate.push_back(tensor({width, kHidden}, type_, 0.3f));
      up.push_back(tensor({width, kHidden}, type_, 0.3f));
      down.push_back(tensor({kHidden, width}, type_, 0.3f));
    }
    return backend_.prepare_experts({gate, up, down});
  }

 private:
  TensorView tensor(const Shape& shape, DType type, float spread, float center = 0.0f) {
    std::vector<float> values(static_cast<std::size_t>(shape.elements()));
    // Not a standard distribution: those may differ between libraries.
    for (float& v : values)
      v = center + spread * (static_cast<float>(bits_() % 20001u) / 10000.0f - 1.0f);
    const std::size_t bytes = row_bytes(type, values.size());
    weights_.converted.push_back(std::make_unique<std::byte[]>(bytes));
    from_f32(weights_.converted.back().get(), type, values);
    return {weights_.converted.back().get(), type, shape};
  }

  Backend& backend_;
  DType type_;
  Weights& weights_;
  std::mt19937 bits_{20260101};
};

AttentionConfig attention_of(RandomModelKind kind) {
  AttentionConfig a;
  a.n_heads = kHeads;
  if (kind == RandomModelKind::kLatentMixture) {
    a.kind = AttentionKind::kLatent;
    a.q_lora_rank = 32;
    a.kv_lora_rank = 32;
    a.qk_nope_dim = 32;
    a.qk_rope_dim = 16;
    a.value_dim = 32;
    a.scale = 1.0f / std::sqrt(48.0f);
    return a;
  }
  a.n_kv_heads = 2;
  a.head_dim = kHeadDim;
  a.scale = 0.25f;
  if (kind == RandomModelKind::kGroupedMixture) {
    a.qkv_bias = true;
    a.output_bias = true;
    a.qk_norm = QkNorm::kPerHead;
    a.sliding_window_tokens = 40;
  }
  return a;
}

void fill_attention(Maker& make, const AttentionConfig& a, AttentionWeights& w) {
  w.norm = make.vector(kHidden, 1.0f, 0.1f);
  if (a.kind == AttentionKind::kLatent) {
    const std::int64_t head = a.qk_nope_dim + a.qk_rope_dim;
    w.q_a = make.matrix(a.q_lora_rank, kHidden);
    w.q_a_norm = make.vector(a.q_lora_rank, 1.0f, 0.1f);
    w.q_b = make.matrix(a.n_heads * head, a.q_lora_rank, 3.0f);
    w.kv_a = make.matrix(a.kv_lora_rank + a.qk_rope_dim, kHidden);
    w.kv_a_norm = make.vector(a.kv_lora_rank, 1.0f, 0.1f);
    w.key_absorb = make.heads(a.n_heads, a.kv_lora_rank, a.qk_nope_dim);
    w.value_up = make.heads(a.n_heads, a.value_dim, a.kv_lora_rank);
    w.o = make.matrix(kHidden, a.n_heads * a.value_dim);
    return;
  }
  w.q = make.matrix(a.n_heads * a.head_dim, kHidden, 3.0f);
  w.k = make.matrix(a.n_kv_heads * a.head_dim, kHidden, 3.0f);
  w.v = make.matrix(a.n_kv_heads * a.head_dim, kHidden);
  w.o = make.matrix(kHidden, a.n_heads * a.head_dim);
  if (a.qkv_bias) {
    w.q_bias = make.vector(a.n_heads * a.head_dim, 0.0f, 0.3f);
    w.k_bias = make.vector(a.n_kv_heads * a.head_dim, 0.0f, 0.3f);
    w.v_bias = make.vector(a.n_kv_heads * a.head_dim, 0.0f, 0.3f);
  }
  if (a.output_bias) w.o_bias = make.vector(kHidden, 0.0f, 0.1f);
  if (a.qk_norm == QkNorm::kPerHead) {
    w.q_norm = make.vector(a.head_dim, 1.0f, 0.2f);
    w.k_norm = make.vector(a.head_dim, 1.0f, 0.2f);
  }
}

}  // namespace

RandomModel make_random_model(RandomModelKind kind, std::unique_ptr<Backend> backend, DType type) {
  RandomModel model;
  model.backend = std::move(backend);
  ModelConfig& c = model.config;
  c.family = "random";
  c.hidden = kHidden;
  c.vocab = kVocab;
  c.max_positions = 4096;
  c.rms_epsilon = 1e-6f;
  const bool latent = kind == RandomModelKind::kLatentMixture;
  c.rope.pairing = latent ? RopePairing::kInterleaved : RopePairing::kHalves;
  c.rope.dim = kHeadDim;
  for (std::int64_t i = 0; i < kHeadDim / 2; ++i)
    c.rope.inverse_frequency.push_back(
        1.0f / std::pow(10000.0f, static_cast<float>(2 * i) / static_cast<float>(kHeadDim)));

  for (int i = 0; i < 3; ++i) {
    LayerConfig layer;
    layer.attention = attention_of(kind);
    layer.dense_width = 96;
    if (kind != RandomModelKind::kDense && (i > 0 || !latent)) {
      MoeConfig moe;
      moe.router.n_experts = kExperts;
      moe.router.top_k = 4;
      moe.expert_width = kExpertWidth;
      moe.shared_width = 2 * kExpertWidth;
      if (latent) {
        moe.router.scoring = RouterScoring::kSigmoid;
        moe.router.n_groups = 4;
        moe.router.top_k_groups = 2;
        moe.router.group_score = RouterGroupScore::kTop2Sum;
        moe.router.normalize_weights = true;
        moe.router.weight_scale = 2.5f;
        moe.has_selection_bias = true;
      } else {
        moe.shared_gate = true;
      }
      layer.moe = moe;
    }
    c.layers.push_back(layer);
  }

  Weights& w = model.weights;
  Maker make(*model.backend, type, w);
  w.embedding = make.embedding(kVocab, kHidden);
  w.output_norm = make.vector(kHidden, 1.0f, 0.1f);
  w.lm_head = make.matrix(kVocab, kHidden, 4.0f);
  w.bytes.embedding = kVocab * kHidden * 4;
  w.bytes.lm_head = kVocab * kHidden * 4;
  w.active_parameters = kVocab * kHidden + 1000;
  for (const LayerConfig& layer : c.layers) {
    LayerWeights l;
    fill_attention(make, layer.attention, l.attention);
    l.mlp_norm = make.vector(kHidden, 1.0f, 0.1f);
    if (layer.moe) {
      MoeWeights& m = l.moe.emplace();
      m.router = make.router(kExperts, kHidden);
      if (layer.moe->has_selection_bias) m.selection_bias = make.vector(kExperts, 0.0f, 0.2f);
      m.experts = make.experts(kExperts, kExpertWidth);
      m.shared = make.experts(1, layer.moe->shared_width);
      if (layer.moe->shared_gate) m.shared_gate = make.router(1, kHidden);
      m.expert_bytes = 3 * kExpertWidth * kHidden * 4;
    } else {
      l.dense = make.experts(1, layer.dense_width);
    }
    w.layers.push_back(std::move(l));
  }
  return model;
}

}  // namespace moebench
