#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <optional>

#include "engine/base/error.h"
#include "engine/formats/printable.h"
#include "engine/model/families.h"
#include "engine/model/family_table.h"
#include "engine/model/gguf_keys.h"
#include "engine/model/rope_scaling.h"

namespace moebench {
namespace {

constexpr std::int64_t kMaxLayers = 1000;
constexpr std::int64_t kMaxExperts = 65536;
constexpr std::int64_t kMaxWidth = 1 << 24;

/// The metadata, read with keys relative to the architecture ("block_count" is
/// "<architecture>.block_count").
class Keys {
 public:
  Keys(const GgufMetadata& metadata, std::string architecture)
      : metadata_(metadata), architecture_(std::move(architecture)) {}

  std::string full(std::string_view key) const { return architecture_ + "." + std::string(key); }
  const GgufMetadata& metadata() const noexcept { return metadata_; }

  [[noreturn]] void fail(std::string_view key, const std::string& what) const {
    throw Error(ErrorCode::kBadModel,
                metadata_.file() + ": metadata key " + printable(full(key)) + " " + what,
                "the model asks for something that this engine does not have, or its metadata is "
                "damaged");
  }

  /// A number, or an array of equal numbers (some converters write one a layer).
  std::optional<std::int64_t> find_int(std::string_view key, std::int64_t low,
                                       std::int64_t high) const {
    const auto found = metadata_.values().find(full(key));
    if (found == metadata_.values().end()) return std::nullopt;
    std::int64_t value = 0;
    if (const auto* array = std::get_if<std::vector<std::int64_t>>(&found->second)) {
      if (array->empty() ||
          std::adjacent_find(array->begin(), array->end(), std::not_equal_to<>()) != array->end()) {
        fail(key, "differs between layers, which is not supported");
      }
      value = array->front();
    } else {
      value = *metadata_.find_int(full(key));
    }
    if (value < low || value > high) {
      fail(key, "is " + std::to_string(value) + ", not within " + std::to_string(low) + " and " +
                    std::to_string(high));
    }
    return value;
  }
  std::int64_t require_int(std::string_view key, std::int64_t low, std::int64_t high) const {
    if (const std::optional<std::int64_t> value = find_int(key, low, high)) return *value;
    fail(key, "is missing");
  }
  std::optional<double> find_float(std::string_view key) const {
    const std::optional<double> value = metadata_.find_float(full(key));
    if (value && !std::isfinite(*value)) fail(key, "is not finite");
    return value;
  }
  std::optional<bool> find_bool(std::string_view key) const {
    return metadata_.find_bool(full(key));
  }
  std::optional<std::string> find_string(std::string_view key) const {
    return metadata_.find_string(full(key));
  }

 private:
  const GgufMetadata& metadata_;
  std::string architecture_;
};

bool has(const Checkpoint& checkpoint, const std::string& name) {
  return checkpoint.find(name) != nullptr;
}

std::string block(std::int64_t layer, std::string_view name) {
  return "blk." + std::to_string(layer) + "." + std::string(name);
}

/// Some architectures serve several families: "llama" is Mixtral where it has experts, "deepseek2"
/// is V3 where its router is a sigmoid.
const Family& family_of(const Keys& keys, const std::string& architecture) {
  const bool has_experts = keys.find_int(gguf_key::kExpertCount, 0, kMaxExperts).value_or(0) > 0;
  const std::int64_t gating =
      keys.find_int(gguf_key::kExpertGating, 0, 1000).value_or(gguf_key::kGatingSoftmax);
  if (gating > gguf_key::kGatingSigmoid) {
    keys.fail(gguf_key::kExpertGating, "is " + std::to_string(gating) +
                                           ", an unknown router function; softmax (1) and sigmoid "
                                           "(2) are supported");
  }
  const RouterScoring scoring =
      gating == gguf_key::kGatingSigmoid ? RouterScoring::kSigmoid : RouterScoring::kSoftmax;
  std::string supported;
  for (const Family& family : family_table()) {
    if (family.gguf_architecture == architecture && family.name != "mistral" &&
        (family.moe != MoeRule::kNone) == has_experts &&
        (!has_experts || family.scoring == scoring)) {
      return family;
    }
    if (supported.find(family.gguf_architecture) == std::string::npos) {
      supported += (supported.empty() ? "" : ", ") + std::string(family.gguf_architecture);
    }
  }
  for (const Family& family : family_table()) {
    if (family.gguf_architecture == architecture) {
      keys.fail(has_experts ? gguf_key::kExpertGating : gguf_key::kExpertCount,
                "does not fit the architecture");
    }
  }
  throw Error(ErrorCode::kBadModel,
              keys.metadata().file() + ": metadata key 'general.architecture' is " +
                  printable(architecture) + ", an unknown architecture (known: " + supported + ")",
              "use a model of a known family");
}

RopeScaling read_scaling(const Keys& keys, const Family& family, double max_positions) {
  RopeScaling scaling;
  const std::string type = keys.find_string(gguf_key::kRopeScalingType).value_or("none");
  if (type == "none") {
    if (const auto linear = keys.find_float(gguf_key::kRopeScaleLinear); linear && *linear != 1.0) {
      scaling.kind = RopeScalingKind::kLinear;
      scaling.factor = *linear;
    }
  } else if (type == "linear") {
    scaling.kind = RopeScalingKind::kLinear;
    scaling.factor = keys.find_float(gguf_key::kRopeScalingFactor).value_or(0.0);
  } else if (type == "yarn") {
    scaling.kind = RopeScalingKind::kYarn;
    scaling.factor = keys.find_float(gguf_key::kRopeScalingFactor).value_or(0.0);
    scaling.original_positions =
        keys.find_float(gguf_key::kRopeOriginalContext).value_or(max_positions);
    scaling.beta_fast = keys.find_float(gguf_key::kYarnBetaFast).value_or(32.0);
    scaling.beta_slow = keys.find_float(gguf_key::kYarnBetaSlow).value_or(1.0);
    if (const auto extrapolation = keys.find_float(gguf_key::kYarnExtrapolation);
        extrapolation && *extrapolation != 1.0 && *extrapolation != -1.0) {
      keys.fail(gguf_key::kYarnExtrapolation, "is not 1, which is not supported");
    }
    // DeepSeek's converters write 0.1 * mscale_all_dim and drop mscale, which equals it.
    if (const auto multiplier = keys.find_float(gguf_key::kYarnLogMultiplier);
        multiplier && family.attention == AttentionKind::kLatent) {
      scaling.mscale = scaling.mscale_all_dim = *multiplier * 10.0;
    }
    const double written = keys.find_float(gguf_key::kYarnAttentionFactor).value_or(1.0) *
                           keys.find_float(gguf_key::kRopeAttentionFactor).value_or(1.0);
    if (written != 1.0) {
      scaling.attention_factor = written * yarn_attention_factor(scaling);
    }
    if (!(scaling.original_positions > 0.0) || !(scaling.beta_fast > 0.0) ||
        !(scaling.beta_slow > 0.0)) {
      keys.fail(gguf_key::kRopeOriginalContext, "or a yarn_beta is not positive");
    }
  } else {
    keys.fail(gguf_key::kRopeScalingType,
              "is " + printable(type) + "; none, linear and yarn are supported");
  }
  if (!(scaling.factor > 0.0))
    keys.fail(gguf_key::kRopeScalingFactor, "is missing or not positive");
  return scaling;
}

/// Llama 3's scaling comes as a tensor of divisors, one a frequency.
void apply_frequency_divisors(RopeConfig& rope, const Keys& keys, const Checkpoint& checkpoint) {
  const CheckpointTensor* divisors = checkpoint.find(gguf_key::kRopeDivisorsTensor);
  if (divisors == nullptr) return;
  const TensorView& view = divisors->view;
  if (view.dtype != DType::kF32 ||
      view.shape.elements() != static_cast<std::int64_t>(rope.inverse_frequency.size())) {
    throw Error(ErrorCode::kBadModel,
                keys.metadata().file() + ": tensor 'rope_freqs.weight' is not " +
                    std::to_string(rope.inverse_frequency.size()) + " numbers in f32",
                "convert the model anew");
  }
  for (std::size_t i = 0; i < rope.inverse_frequency.size(); ++i) {
    float divisor = 0.0f;
    std::memcpy(&divisor, view.data + i * sizeof divisor, sizeof divisor);
    if (!(divisor > 0.0f)) {
      throw Error(ErrorCode::kBadModel,
                  keys.metadata().file() + ": tensor 'rope_freqs.weight' holds " +
                      std::to_string(divisor) + ", not a positive divisor",
                  "convert the model anew");
    }
    rope.inverse_frequency[i] /= divisor;
  }
}

AttentionConfig read_attention(const Keys& keys, const Family& family, const Checkpoint& checkpoint,
                               std::int64_t hidden) {
  AttentionConfig attention;
  attention.kind = family.attention;
  attention.qk_norm = family.qk_norm;
  attention.n_heads = keys.require_int(gguf_key::kHeadCount, 1, kMaxWidth);
  attention.output_bias = has(checkpoint, block(0, "attn_output.bias"));
  const std::optional<std::int64_t> key_length = keys.find_int(gguf_key::kKeyLength, 1, kMaxWidth);
  const std::optional<std::int64_t> value_length =
      keys.find_int(gguf_key::kValueLength, 1, kMaxWidth);
  if (family.attention == AttentionKind::kGrouped) {
    attention.qkv_bias = has(checkpoint, block(0, "attn_q.bias"));
    attention.n_kv_heads =
        keys.find_int(gguf_key::kKvHeadCount, 1, kMaxWidth).value_or(attention.n_heads);
    attention.head_dim = key_length.value_or(hidden / attention.n_heads);
    if (attention.head_dim < 1) keys.fail(gguf_key::kHeadCount, "exceeds embedding_length");
    if (value_length && *value_length != attention.head_dim) {
      keys.fail(gguf_key::kValueLength, "differs from key_length, which is not supported");
    }
    return attention;
  }
  // Two generations of converters: the later ones describe the latent cache in key_length and
  // value_length, and the heads in key_length_mla and value_length_mla.
  attention.qkv_bias = has(checkpoint, block(0, "attn_kv_a_mqa.bias"));
  attention.n_kv_heads = 1;
  attention.q_lora_rank = keys.find_int(gguf_key::kQLoraRank, 0, kMaxWidth).value_or(0);
  attention.kv_lora_rank = keys.require_int(gguf_key::kKvLoraRank, 1, kMaxWidth);
  attention.qk_rope_dim = keys.require_int(gguf_key::kRopeDimensions, 1, kMaxWidth);
  const std::optional<std::int64_t> key = keys.find_int(gguf_key::kKeyLengthMla, 1, kMaxWidth);
  const std::optional<std::int64_t> value = keys.find_int(gguf_key::kValueLengthMla, 1, kMaxWidth);
  if (!(key && value) && !(key_length && value_length)) {
    keys.fail(gguf_key::kKeyLength, "or value_length is missing");
  }
  const std::int64_t key_width = key && value ? *key : *key_length;
  attention.value_dim = key && value ? *value : *value_length;
  attention.qk_nope_dim = key_width - attention.qk_rope_dim;
  if (attention.qk_nope_dim < 1) keys.fail(gguf_key::kKeyLength, "is below rope.dimension_count");
  return attention;
}

MoeConfig read_moe(const Keys& keys, const Family& family, const Checkpoint& checkpoint,
                   ModelConfig& model) {
  MoeConfig moe;
  RouterOptions& router = moe.router;
  router.scoring = family.scoring;
  router.n_experts =
      static_cast<std::int32_t>(keys.require_int(gguf_key::kExpertCount, 1, kMaxExperts));
  router.top_k =
      static_cast<std::int32_t>(keys.require_int(gguf_key::kExpertUsedCount, 1, router.n_experts));
  router.normalize_weights =
      keys.find_bool(gguf_key::kExpertWeightsNorm).value_or(family.gguf_normalize);
  router.weight_scale =
      static_cast<float>(keys.find_float(gguf_key::kExpertWeightsScale).value_or(1.0));
  if (router.weight_scale == 0.0f) router.weight_scale = 1.0f;  // how converters say "none"
  const std::optional<std::int64_t> width = keys.find_int(gguf_key::kExpertWidth, 0, kMaxWidth);
  moe.expert_width = width && *width > 0 ? *width
                     : family.expert_width_is_intermediate_size
                         ? keys.require_int(gguf_key::kFeedForwardLength, 1, kMaxWidth)
                         : keys.require_int(gguf_key::kExpertWidth, 1, kMaxWidth);
  if (family.moe == MoeRule::kAfterFirstDense) {
    moe.shared_width =
        keys.find_int(gguf_key::kSharedExpertCount, 0, kMaxExperts).value_or(0) * moe.expert_width;
    router.group_score = family.scoring == RouterScoring::kSigmoid ? RouterGroupScore::kTop2Sum
                                                                   : RouterGroupScore::kMax;
    const auto groups = keys.find_int(gguf_key::kExpertGroups, 0, router.n_experts);
    if (groups && *groups > 1) {
      router.n_groups = static_cast<std::int32_t>(*groups);
      router.top_k_groups = static_cast<std::int32_t>(
          keys.require_int(gguf_key::kExpertGroupsUsed, 1, router.n_groups));
    } else if (!groups && router.n_experts >= 128) {
      model.notes.push_back(
          "the metadata has no expert_group_count: experts are chosen without group limits");
    }
  }
  if (family.name == "qwen2_moe") {
    const std::optional<std::int64_t> shared =
        keys.find_int(gguf_key::kSharedExpertWidth, 0, kMaxWidth);
    // Older converters leave the width to the tensor.
    const CheckpointTensor* up = checkpoint.find(block(0, "ffn_up_shexp.weight"));
    moe.shared_width = shared ? *shared : up != nullptr ? up->view.shape[0] : 0;
    moe.shared_gate = moe.shared_width > 0;
  }
  return moe;
}

std::int64_t window_of(const Keys& keys, std::int64_t layer) {
  const std::int64_t window = keys.find_int(gguf_key::kSlidingWindow, 0, 1LL << 40).value_or(0);
  const std::string pattern_key = keys.full(gguf_key::kSlidingWindowPattern);
  if (window == 0 || !keys.metadata().contains(pattern_key)) return window;
  const std::vector<bool>* pattern = keys.metadata().find_bools(pattern_key);
  if (static_cast<std::size_t>(layer) >= pattern->size()) {
    keys.fail(gguf_key::kSlidingWindowPattern, "is shorter than the layers");
  }
  return (*pattern)[static_cast<std::size_t>(layer)] ? window : 0;
}

}  // namespace

ModelConfig config_from_gguf(const GgufMetadata& metadata, const Checkpoint& checkpoint) {
  const std::string architecture = metadata.require_string("general.architecture");
  const Keys keys(metadata, architecture);
  const Family& family = family_of(keys, architecture);
  const CheckpointTensor* embedding = checkpoint.find("token_embd.weight");
  if (embedding == nullptr || embedding->view.shape.rank() != 2) {
    throw Error(ErrorCode::kBadModel,
                metadata.file() + ": tensor 'token_embd.weight' is missing or no matrix",
                "convert the model anew");
  }
  ModelConfig model;
  model.family = family.name;
  model.hidden = keys.require_int(gguf_key::kEmbeddingLength, 1, kMaxWidth);
  model.vocab = embedding->view.shape[0];
  model.max_positions = keys.require_int(gguf_key::kContextLength, 1, 1LL << 40);
  model.rms_epsilon = static_cast<float>(keys.find_float(gguf_key::kRmsEpsilon).value_or(0.0));
  if (!(model.rms_epsilon > 0.0f)) {
    keys.fail(gguf_key::kRmsEpsilon, "is missing or not positive");
  }
  model.tied_embeddings = !has(checkpoint, "output.weight");
  model.prediction_layers = keys.find_int(gguf_key::kPredictionLayers, 0, kMaxLayers).value_or(0);
  const std::int64_t n_layers =
      keys.require_int(gguf_key::kBlockCount, 1, kMaxLayers) - model.prediction_layers;
  if (n_layers < 1) keys.fail(gguf_key::kPredictionLayers, "leaves no layers");

  AttentionConfig attention = read_attention(keys, family, checkpoint, model.hidden);
  const bool latent = attention.kind == AttentionKind::kLatent;
  model.rope.dim = latent ? attention.qk_rope_dim : attention.head_dim;
  if (keys.find_int(gguf_key::kRopeDimensions, 1, kMaxWidth).value_or(model.rope.dim) !=
      model.rope.dim) {
    keys.fail(gguf_key::kRopeDimensions, "is not the head's width, which is not supported");
  }
  model.rope.pairing = family.gguf_pairing;
  const double theta = keys.find_float(gguf_key::kRopeBase).value_or(10000.0);
  if (!(theta > 1.0)) keys.fail(gguf_key::kRopeBase, "is not above 1");
  const RopeScaling scaling = read_scaling(keys, family, static_cast<double>(model.max_positions));
  apply_rope_scaling(model.rope, theta, scaling);
  apply_frequency_divisors(model.rope, keys, checkpoint);
  double scale =
      1.0 / std::sqrt(static_cast<double>(latent ? attention.qk_nope_dim + attention.qk_rope_dim
                                                 : attention.head_dim));
  if (scaling.mscale_all_dim != 0.0) {
    const double magnitude = yarn_magnitude(scaling.factor, scaling.mscale_all_dim);
    scale *= magnitude * magnitude;
  }
  attention.scale = static_cast<float>(scale);

  std::optional<MoeConfig> moe;
  if (family.moe != MoeRule::kNone) moe = read_moe(keys, family, checkpoint, model);
  for (std::int64_t i = 0; i < n_layers; ++i) {
    LayerConfig layer;
    layer.attention = attention;
    layer.attention.sliding_window_tokens = window_of(keys, i);
    if (moe && has(checkpoint, block(i, "ffn_gate_inp.weight"))) {
      layer.moe = moe;
      layer.moe->has_selection_bias = has(checkpoint, block(i, "exp_probs_b.bias"));
    } else {
      layer.dense_width = keys.require_int(gguf_key::kFeedForwardLength, 1, kMaxWidth);
    }
    model.layers.push_back(std::move(layer));
  }
  check_config(model, metadata.file());
  return model;
}

}  // namespace moebench
