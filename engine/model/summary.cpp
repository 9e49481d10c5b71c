#include "engine/model/summary.h"

#include <array>

#include "engine/model/weight_source.h"

namespace moebench {
namespace {

using enum TensorRole;

constexpr std::array<const char*, 8> kKinds = {"embedding", "attention",      "dense MLP",
                                               "router",    "routed experts", "shared experts",
                                               "norms",     "output matrix"};
enum Kind : std::size_t {
  kEmbeddingKind,
  kAttentionKind,
  kDenseKind,
  kRouterKind,
  kRoutedKind,
  kSharedKind,
  kNormKind,
  kOutputKind
};

Kind kind_of(TensorRole role) noexcept {
  switch (role) {
    case kEmbedding:
      return kEmbeddingKind;
    case kLmHead:
      return kOutputKind;
    case kOutputNorm:
    case kAttentionNorm:
    case kMlpNorm:
    case kQNorm:
    case kKNorm:
    case kQANorm:
    case kKvANorm:
      return kNormKind;
    case kDenseGate:
    case kDenseUp:
    case kDenseDown:
      return kDenseKind;
    case kRouter:
    case kSelectionBias:
      return kRouterKind;
    case kExpertGate:
    case kExpertUp:
    case kExpertDown:
    case kExpertsGate:
    case kExpertsUp:
    case kExpertsDown:
    case kExpertsGateUp:
      return kRoutedKind;
    case kSharedGate:
    case kSharedUp:
    case kSharedDown:
    case kSharedSwitch:
      return kSharedKind;
    default:
      return kAttentionKind;
  }
}

class Summarizer {
 public:
  explicit Summarizer(const ModelSource& source)
      : config_(source.config), weights_(source.config, source.checkpoint, std::nullopt) {
    for (std::size_t i = 0; i < kKinds.size(); ++i) kinds_[i].kind = kKinds[i];
  }

  WeightSummary run() {
    add(kEmbedding, -1);
    for (std::size_t i = 0; i < config_.layers.size(); ++i) {
      add_layer(static_cast<std::int64_t>(i), config_.layers[i]);
    }
    add(kOutputNorm, -1);
    if (config_.tied_embeddings) {
      weights_.skip(kLmHead);
      kinds_[kEmbeddingKind].active_parameters = kinds_[kEmbeddingKind].parameters;
    } else {
      add(kLmHead, -1);
    }
    WeightSummary summary;
    weights_.check_all_taken(summary.notes);
    for (TensorKindSummary& kind : kinds_) {
      if (kind.tensors > 0) summary.kinds.push_back(std::move(kind));
    }
    return summary;
  }

 private:
  void add(TensorRole role, std::int64_t layer, std::int64_t expert = -1) {
    const TensorView& view = weights_.locate(role, layer, expert).view;
    const Kind kind = kind_of(role);
    TensorKindSummary& summary = kinds_[kind];
    const std::int64_t parameters = view.shape.elements();
    ++summary.tensors;
    summary.parameters += parameters;
    summary.bytes_of_type[view.dtype] += static_cast<std::int64_t>(view.size_bytes());
    if (kind == kEmbeddingKind) return;
    if (kind == kRoutedKind) {
      const RouterOptions& router = config_.layers[static_cast<std::size_t>(layer)].moe->router;
      summary.active_parameters += parameters * router.top_k / router.n_experts;
    } else {
      summary.active_parameters += parameters;
    }
  }

  void add_layer(std::int64_t i, const LayerConfig& layer) {
    const bool split = weights_.has(kKB, i) && weights_.has(kVB, i);
    for (auto r = static_cast<int>(kAttentionNorm); r <= static_cast<int>(kSharedSwitch); ++r) {
      const auto role = static_cast<TensorRole>(r);
      const bool alternative =
          kind_of(role) == kRoutedKind || (split ? role == kKvB : role == kKB || role == kVB);
      if (!alternative && expected_shape(role, config_, &layer)) add(role, i);
    }
    if (split) weights_.skip(kKvB, i);
    if (!layer.moe) return;
    if (weights_.has(kExpertsDown, i)) {
      add(kExpertsDown, i);
      if (weights_.has(kExpertsGateUp, i)) {
        add(kExpertsGateUp, i);
      } else {
        add(kExpertsGate, i);
        add(kExpertsUp, i);
      }
      return;
    }
    for (std::int64_t expert = 0; expert < layer.moe->router.n_experts; ++expert) {
      for (const TensorRole role : {kExpertGate, kExpertUp, kExpertDown}) add(role, i, expert);
    }
  }

  const ModelConfig& config_;
  WeightSource weights_;
  std::array<TensorKindSummary, kKinds.size()> kinds_;
};

}  // namespace

std::int64_t TensorKindSummary::bytes() const noexcept {
  std::int64_t total = 0;
  for (const auto& [dtype, bytes] : bytes_of_type) total += bytes;
  return total;
}

std::int64_t WeightSummary::parameters() const noexcept {
  std::int64_t total = 0;
  for (const TensorKindSummary& kind : kinds) total += kind.parameters;
  return total;
}
std::int64_t WeightSummary::active_parameters() const noexcept {
  std::int64_t total = 0;
  for (const TensorKindSummary& kind : kinds) total += kind.active_parameters;
  return total;
}
std::int64_t WeightSummary::bytes() const noexcept {
  std::int64_t total = 0;
  for (const TensorKindSummary& kind : kinds) total += kind.bytes();
  return total;
}

WeightSummary summarize_weights(const ModelSource& source) { return Summarizer(source).run(); }

}  // namespace moebench
