#include "engine/model/weights.h"

#include <array>
#include <cstring>
#include <functional>
#include <map>

#include "engine/base/error.h"
#include "engine/model/tensor_table.h"
#include "engine/model/weight_source.h"

namespace moebench {
namespace {

using enum TensorRole;

class Loader {
 public:
  Loader(const ModelConfig& config, const Checkpoint& checkpoint, Backend& backend,
         std::optional<DType> requantize)
      : config_(config),
        backend_(backend),
        files_(checkpoint.files()),
        source_(config, checkpoint, requantize, &backend),
        requantize_(requantize) {}

  Weights load() {
    weights_.files = files_;
    weights_.embedding = embedding();
    weights_.output_norm = vector(kOutputNorm, -1, weights_.bytes.norms);
    weights_.lm_head = lm_head();
    for (std::size_t i = 0; i < config_.layers.size(); ++i) {
      weights_.layers.push_back(layer(static_cast<std::int64_t>(i)));
    }
    source_.check_all_taken(weights_.notes);
    summarize_types();
    return std::move(weights_);
  }

 private:
  const LayerConfig* config_of(std::int64_t layer) const {
    return layer < 0 ? nullptr : &config_.layers[static_cast<std::size_t>(layer)];
  }
  bool expected(TensorRole role, std::int64_t layer) const {
    return expected_shape(role, config_, config_of(layer)).has_value();
  }

  /// After a backend has prepared `loaded`: frees what it copied, keeps what it points into.
  /// Returns the bytes that the weight occupies.
  std::int64_t settle(const Weight& weight, LoadedTensor loaded) {
    if (weight.size_bytes() > 0) {
      files_->release_pages(loaded.mapped);
      return static_cast<std::int64_t>(weight.size_bytes());
    }
    const auto bytes = static_cast<std::int64_t>(loaded.view.size_bytes());
    if (loaded.converted()) {
      files_->release_pages(loaded.mapped);
      weights_.converted.push_back(std::move(loaded.owned));
    }
    return bytes;
  }

  void count(const LoadedTensor& loaded, std::int64_t active) {
    weights_.total_parameters += loaded.view.shape.elements();
    weights_.active_parameters += active;
  }
  void count(const LoadedTensor& loaded) { count(loaded, loaded.view.shape.elements()); }

  void note_type(const TensorView& view) { bytes_of_type_[view.dtype] += view.size_bytes(); }

  std::unique_ptr<Weight> vector(TensorRole role, std::int64_t layer, std::int64_t& bytes) {
    if (!expected(role, layer)) return nullptr;
    LoadedTensor loaded = source_.take(role, layer);
    count(loaded);
    std::unique_ptr<Weight> weight = backend_.prepare_vector(loaded.view);
    bytes += settle(*weight, std::move(loaded));
    return weight;
  }

  std::unique_ptr<Weight> matrix(TensorRole role, std::int64_t layer, std::int64_t& bytes) {
    if (!expected(role, layer)) return nullptr;
    LoadedTensor loaded = source_.take_matrix(role, layer);
    count(loaded);
    note_type(loaded.view);
    std::unique_ptr<Weight> weight = backend_.prepare_matrix(loaded.view);
    bytes += settle(*weight, std::move(loaded));
    return weight;
  }

  /// Routers and gates are small and decide much: never requantised.
  std::unique_ptr<Weight> exact_matrix(TensorRole role, std::int64_t layer, std::int64_t& bytes) {
    if (!expected(role, layer)) return nullptr;
    LoadedTensor loaded = source_.take(role, layer);
    count(loaded);
    std::unique_ptr<Weight> weight = backend_.prepare_matrix(loaded.view);
    bytes += settle(*weight, std::move(loaded));
    return weight;
  }

  std::unique_ptr<Weight> embedding() {
    LoadedTensor loaded = source_.take_matrix(kEmbedding);
    count(loaded, 0);
    note_type(loaded.view);
    std::unique_ptr<Weight> weight = backend_.prepare_embedding(loaded.view);
    weights_.bytes.embedding += settle(*weight, std::move(loaded));
    return weight;
  }

  std::unique_ptr<Weight> lm_head() {
    if (!config_.tied_embeddings) return matrix(kLmHead, -1, weights_.bytes.lm_head);
    if (source_.has(kLmHead)) {
      source_.skip(kLmHead);
      weights_.notes.push_back("the checkpoint has an output matrix, but embeddings are tied");
    }
    LoadedTensor loaded = source_.take_matrix(kEmbedding);
    weights_.active_parameters += loaded.view.shape.elements();
    std::unique_ptr<Weight> weight = backend_.prepare_matrix(loaded.view);
    weights_.bytes.lm_head += settle(*weight, std::move(loaded));
    return weight;
  }

  AttentionWeights attention(std::int64_t layer) {
    std::int64_t& bytes = weights_.bytes.attention;
    std::int64_t& norms = weights_.bytes.norms;
    AttentionWeights w;
    w.norm = vector(kAttentionNorm, layer, norms);
    w.q = matrix(kQ, layer, bytes);
    w.k = matrix(kK, layer, bytes);
    w.v = matrix(kV, layer, bytes);
    w.q_bias = vector(kQBias, layer, bytes);
    w.k_bias = vector(kKBias, layer, bytes);
    w.v_bias = vector(kVBias, layer, bytes);
    w.q_norm = vector(kQNorm, layer, norms);
    w.k_norm = vector(kKNorm, layer, norms);
    w.q_a = matrix(kQA, layer, bytes);
    w.q_a_bias = vector(kQABias, layer, bytes);
    w.q_a_norm = vector(kQANorm, layer, norms);
    w.q_b = matrix(kQB, layer, bytes);
    w.kv_a = matrix(kKvA, layer, bytes);
    w.kv_a_bias = vector(kKvABias, layer, bytes);
    w.kv_a_norm = vector(kKvANorm, layer, norms);
    if (config_of(layer)->attention.kind == AttentionKind::kLatent) absorbed(layer, w);
    w.o = matrix(kO, layer, bytes);
    w.o_bias = vector(kOBias, layer, bytes);
    return w;
  }

  /// MLA with the up-projections absorbed (arXiv 2405.04434, section 2.1.2): the query is brought
  /// into the latent's space by the transposed key half of kv_b, and the attended latent to the
  /// value by the value half.
  void absorbed(std::int64_t layer, AttentionWeights& w) {
    const AttentionConfig& a = config_of(layer)->attention;
    const bool split = source_.has(kKB, layer) && source_.has(kVB, layer);
    const TensorRole role = split ? kKB : kKvB;
    const DType stored = source_.kept_type(source_.stored_type(role, layer), a.kv_lora_rank);
    LoadedTensor key, value;
    if (split) {
      key = source_.take_f32(kKB, layer);
      value = source_.take_f32(kVB, layer);
      source_.skip(kKvB, layer);
      count(key);
      count(value);
    } else {
      LoadedTensor joint = source_.take_f32(kKvB, layer);
      count(joint);
      key = latent_key_half(a, joint.view);
      value = latent_value_half(a, joint.view);
      files_->release_pages(joint.mapped);
    }
    std::int64_t& bytes = weights_.bytes.attention;
    w.key_absorb = backend_.prepare_head_matrices(key.view, stored);
    bytes += settle(*w.key_absorb, std::move(key));
    w.value_up = backend_.prepare_head_matrices(value.view, stored);
    bytes += settle(*w.value_up, std::move(value));
  }

  /// One expert that every row uses: a dense MLP or the shared experts together.
  std::unique_ptr<Weight> single_expert(TensorRole gate, TensorRole up, TensorRole down,
                                        std::int64_t layer, std::int64_t& bytes) {
    if (!expected(gate, layer)) return nullptr;
    std::array<LoadedTensor, 3> parts = {source_.take_matrix(gate, layer),
                                         source_.take_matrix(up, layer),
                                         source_.take_matrix(down, layer)};
    for (const LoadedTensor& part : parts) {
      count(part);
      note_type(part.view);
    }
    std::unique_ptr<Weight> weight =
        backend_.prepare_experts({{&parts[0].view, 1}, {&parts[1].view, 1}, {&parts[2].view, 1}});
    if (weight->size_bytes() > 0) bytes += static_cast<std::int64_t>(weight->size_bytes());
    for (LoadedTensor& part : parts) {
      const std::int64_t part_bytes = settle(*weight, std::move(part));
      if (weight->size_bytes() == 0) bytes += part_bytes;
    }
    return weight;
  }

  /// Rows [begin, begin + n) of expert `index` of a tensor that holds all experts.
  static TensorView slice(const TensorView& all, std::int64_t index, std::int64_t begin,
                          std::int64_t n) {
    const std::size_t bytes_per_row =
        row_bytes(all.dtype, static_cast<std::size_t>(all.shape.back()));
    const auto first = static_cast<std::size_t>(index * all.shape[1] + begin);
    return {all.data + first * bytes_per_row, all.dtype, {n, all.shape.back()}};
  }

  std::unique_ptr<Weight> routed_experts(std::int64_t layer, const MoeConfig& moe) {
    const std::int64_t n = moe.router.n_experts, width = moe.expert_width, hidden = config_.hidden;
    std::vector<LoadedTensor> loaded;
    std::vector<TensorView> gate, up, down;
    const auto take = [&](TensorRole role, std::int64_t expert) {
      loaded.push_back(source_.take_matrix(role, layer, expert));
      return loaded.back().view;
    };
    if (source_.has(kExpertsDown, layer)) {
      const bool joint = source_.has(kExpertsGateUp, layer);
      const TensorView gates = take(joint ? kExpertsGateUp : kExpertsGate, -1);
      const TensorView ups = joint ? gates : take(kExpertsUp, -1);
      const TensorView downs = take(kExpertsDown, -1);
      for (std::int64_t i = 0; i < n; ++i) {
        gate.push_back(slice(gates, i, 0, width));
        up.push_back(slice(ups, i, joint ? width : 0, width));
        down.push_back(slice(downs, i, 0, hidden));
      }
    } else {
      for (std::int64_t i = 0; i < n; ++i) {
        gate.push_back(take(kExpertGate, i));
        up.push_back(take(kExpertUp, i));
        down.push_back(take(kExpertDown, i));
      }
    }
    for (const LoadedTensor& tensor : loaded) {
      count(tensor, tensor.view.shape.elements() * moe.router.top_k / n);
      note_type(tensor.view);
    }
    std::unique_ptr<Weight> weight = backend_.prepare_experts({gate, up, down});
    std::int64_t bytes = static_cast<std::int64_t>(weight->size_bytes());
    for (LoadedTensor& tensor : loaded) {
      const std::int64_t tensor_bytes = settle(*weight, std::move(tensor));
      if (weight->size_bytes() == 0) bytes += tensor_bytes;
    }
    weights_.bytes.routed_experts += bytes;
    expert_bytes_ = bytes / n;
    return weight;
  }

  LayerWeights layer(std::int64_t i) {
    LayerWeights w;
    w.attention = attention(i);
    w.mlp_norm = vector(kMlpNorm, i, weights_.bytes.norms);
    w.dense = single_expert(kDenseGate, kDenseUp, kDenseDown, i, weights_.bytes.dense_mlp);
    if (const std::optional<MoeConfig>& moe = config_of(i)->moe) {
      MoeWeights m;
      m.router = exact_matrix(kRouter, i, weights_.bytes.router);
      m.selection_bias = vector(kSelectionBias, i, weights_.bytes.router);
      m.experts = routed_experts(i, *moe);
      m.expert_bytes = expert_bytes_;
      std::int64_t& shared = weights_.bytes.shared_experts;
      m.shared = single_expert(kSharedGate, kSharedUp, kSharedDown, i, shared);
      m.shared_gate = exact_matrix(kSharedSwitch, i, shared);
      w.moe = std::move(m);
    }
    return w;
  }

  void summarize_types() {
    std::multimap<std::size_t, DType, std::greater<>> by_bytes;
    bool substituted = false;
    for (const auto& [dtype, bytes] : bytes_of_type_) {
      by_bytes.emplace(bytes, dtype);
      substituted = substituted || (requantize_ && dtype != *requantize_);
    }
    for (const auto& [bytes, dtype] : by_bytes) {
      weights_.matrix_types +=
          (weights_.matrix_types.empty() ? "" : ", ") + std::string(name(dtype));
    }
    if (substituted) {
      weights_.notes.push_back("matrices whose rows do not fill blocks of " +
                               std::string(name(*requantize_)) + " are kept in q8_0 or f16");
    }
  }

  const ModelConfig& config_;
  Backend& backend_;
  std::shared_ptr<const ModelFiles> files_;
  WeightSource source_;
  std::optional<DType> requantize_;
  Weights weights_;
  std::int64_t expert_bytes_ = 0;
  std::map<DType, std::size_t> bytes_of_type_;
};

}  // namespace

Weights load_weights(const ModelConfig& config, const Checkpoint& checkpoint, Backend& backend,
                     std::optional<DType> requantize) {
  return Loader(config, checkpoint, backend, requantize).load();
}

std::int64_t kv_values_per_token(const ModelConfig& config) {
  std::int64_t values = 0;
  for (const LayerConfig& layer : config.layers) {
    const AttentionConfig& a = layer.attention;
    values += a.kind == AttentionKind::kLatent ? a.kv_lora_rank + a.qk_rope_dim
                                               : 2 * a.n_kv_heads * a.head_dim;
  }
  return values;
}

}  // namespace moebench
