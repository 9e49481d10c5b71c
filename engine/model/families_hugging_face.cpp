#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "engine/base/error.h"
#include "engine/formats/json_document.h"
#include "engine/formats/printable.h"
#include "engine/model/families.h"
#include "engine/model/family_table.h"
#include "engine/model/json_settings.h"
#include "engine/model/rope_scaling.h"

namespace moebench {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMaxLayers = 1000;
constexpr std::int64_t kMaxExperts = 65536;
constexpr std::int64_t kMaxWidth = 1 << 24;

// Keys that change nothing in what the engine computes: training, tokens (the tokenizer's files say
// them), bookkeeping.
constexpr std::array<std::string_view, 38> kHarmlessKeys = {"architectures",
                                                            "attention_dropout",
                                                            "auto_map",
                                                            "aux_loss_alpha",
                                                            "bos_token_id",
                                                            "chunk_size_feed_forward",
                                                            "dtype",
                                                            "eos_token_id",
                                                            "ep_size",
                                                            "hidden_dropout",
                                                            "id2label",
                                                            "initializer_range",
                                                            "is_encoder_decoder",
                                                            "label2id",
                                                            "max_length",
                                                            "model_type",
                                                            "num_labels",
                                                            "output_attentions",
                                                            "output_hidden_states",
                                                            "output_router_logits",
                                                            "pad_token_id",
                                                            "pretraining_tp",
                                                            "problem_type",
                                                            "qk_head_dim",
                                                            "return_dict",
                                                            "router_aux_loss_coef",
                                                            "router_jitter_noise",
                                                            "seq_aux",
                                                            "task_specific_params",
                                                            "torch_dtype",
                                                            "transformers_version",
                                                            "unk_token_id",
                                                            "unsloth_fixed",
                                                            "unsloth_version",
                                                            "use_cache",
                                                            "use_mamba_kernels",
                                                            "router_z_loss_coef",
                                                            "tokenizer_class"};

// Keys of other models that do change the computation: must be absent, null, or this value.
struct ForbiddenKey {
  std::string_view key;
  double neutral;
};
constexpr std::array<ForbiddenKey, 14> kForbiddenKeys = {{{"clip_qkv", 0.0},
                                                          {"mlp_bias", 0.0},
                                                          {"partial_rotary_factor", 1.0},
                                                          {"attn_logit_softcapping", 0.0},
                                                          {"final_logit_softcapping", 0.0},
                                                          {"logit_scale", 1.0},
                                                          {"logits_scaling", 1.0},
                                                          {"embedding_multiplier", 1.0},
                                                          {"residual_multiplier", 1.0},
                                                          {"attention_multiplier", 1.0},
                                                          {"use_qk_norm", 0.0},
                                                          {"attention_sink", 0.0},
                                                          {"add_cross_attention", 0.0},
                                                          {"is_decoder", 1.0}}};

void check_forbidden(JsonSettings& config) {
  for (const ForbiddenKey& forbidden : kForbiddenKeys) {
    const Json* value = config.find(forbidden.key);
    if (value == nullptr) continue;
    if (value->is_boolean() && (!value->get<bool>() || forbidden.key == "is_decoder")) continue;
    if (value->is_number() && value->get<double>() == forbidden.neutral) continue;
    config.fail(forbidden.key, "is " + value->dump() + ", which is not supported");
  }
  const std::string activation = config.find_string("hidden_act").value_or("silu");
  if (activation != "silu" && activation != "swish") {
    config.fail("hidden_act", "is " + printable(activation) + "; silu is supported");
  }
}

void note_unknown_keys(const JsonSettings& config, ModelConfig& model) {
  for (const auto& [key, value] : config.object().items()) {
    const bool harmless =
        std::find(kHarmlessKeys.begin(), kHarmlessKeys.end(), key) != kHarmlessKeys.end();
    // Switched off or empty: asks for nothing.
    const bool neutral =
        value.is_null() || value == false || value == 0 ||
        ((value.is_array() || value.is_object() || value.is_string()) && value.empty());
    if (harmless || neutral || config.seen(key) || key.starts_with("_")) continue;
    model.notes.push_back("config key " + printable(key) + " is unknown and was ignored");
  }
}

const Family& family_of(JsonSettings& config) {
  const std::optional<std::string> type = config.find_string("model_type");
  if (!type) config.fail("model_type", "is missing");
  std::string supported;
  for (const Family& family : family_table()) {
    if (family.name == *type || (!family.other_name.empty() && family.other_name == *type)) {
      return family;
    }
    supported += (supported.empty() ? "" : ", ") + std::string(family.name);
  }
  config.fail("model_type",
              "is " + printable(*type) + ", an unknown architecture (known: " + supported + ")");
}

void check_architecture(JsonSettings& config) {
  const Json* list = config.find("architectures");
  if (list == nullptr) return;
  if (!list->is_array() || list->empty() || !list->front().is_string()) {
    config.fail("architectures", "is not a list of names");
  }
  const auto architecture = list->front().get<std::string>();
  if (!architecture.ends_with("ForCausalLM")) {
    config.fail("architectures", "is " + printable(architecture) + ", no causal language model");
  }
}

struct Rope {
  double theta;
  RopeScaling scaling;
};

RopeScaling read_scaling(JsonSettings& rope, double max_positions,
                         std::optional<double> original_of_config) {
  static constexpr std::array<std::string_view, 15> kKnown = {"rope_type",
                                                              "type",
                                                              "rope_theta",
                                                              "factor",
                                                              "original_max_position_embeddings",
                                                              "mscale",
                                                              "mscale_all_dim",
                                                              "beta_fast",
                                                              "beta_slow",
                                                              "attention_factor",
                                                              "truncate",
                                                              "low_freq_factor",
                                                              "high_freq_factor",
                                                              "partial_rotary_factor",
                                                              "finetuned"};
  for (const auto& [key, value] : rope.object().items()) {
    if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end()) {
      rope.fail(key, "is an unknown rope setting");
    }
  }
  if (rope.find_float("partial_rotary_factor").value_or(1.0) != 1.0) {
    rope.fail("partial_rotary_factor", "is not 1, which is not supported");
  }
  std::optional<std::string> type = rope.find_string("rope_type");
  if (!type) type = rope.find_string("type");
  RopeScaling scaling;
  if (!type || *type == "default") return scaling;
  if (*type == "linear") {
    scaling.kind = RopeScalingKind::kLinear;
  } else if (*type == "llama3") {
    scaling.kind = RopeScalingKind::kLlama3;
  } else if (*type == "yarn") {
    scaling.kind = RopeScalingKind::kYarn;
  } else {
    rope.fail(rope.object().contains("rope_type") ? "rope_type" : "type",
              "is " + printable(*type) + "; default, linear, llama3 and yarn are supported");
  }
  scaling.original_positions = rope.find_float("original_max_position_embeddings")
                                   .value_or(original_of_config.value_or(max_positions));
  if (!(scaling.original_positions > 0.0)) {
    rope.fail("original_max_position_embeddings", "is not positive");
  }
  if (scaling.kind == RopeScalingKind::kYarn && rope.find("factor") == nullptr) {
    scaling.factor = max_positions / scaling.original_positions;
  } else {
    scaling.factor = rope.require_positive("factor");
  }
  if (scaling.kind == RopeScalingKind::kLlama3) {
    scaling.low_frequency_factor = rope.require_positive("low_freq_factor");
    scaling.high_frequency_factor = rope.require_positive("high_freq_factor");
    if (!(scaling.high_frequency_factor > scaling.low_frequency_factor)) {
      rope.fail("high_freq_factor", "is not above low_freq_factor");
    }
  }
  if (scaling.kind == RopeScalingKind::kYarn) {
    if (rope.find("beta_fast") != nullptr) scaling.beta_fast = rope.require_positive("beta_fast");
    if (rope.find("beta_slow") != nullptr) scaling.beta_slow = rope.require_positive("beta_slow");
    scaling.attention_factor = rope.find_float("attention_factor").value_or(0.0);
    scaling.mscale = rope.find_float("mscale").value_or(0.0);
    scaling.truncate = rope.find_bool("truncate", true);
  }
  scaling.mscale_all_dim = rope.find_float("mscale_all_dim").value_or(0.0);
  return scaling;
}

/// Both spellings: rope_parameters with everything, or rope_theta beside rope_scaling.
Rope read_rope(JsonSettings& config, const Family& family, double max_positions) {
  const Json* parameters = config.find("rope_parameters");
  const Json* scaling = config.find("rope_scaling");
  std::optional<double> theta = config.find_float("rope_theta");
  const std::optional<double> original = config.find_float("original_max_position_embeddings");
  const Json* object = parameters != nullptr ? parameters : scaling;
  const char* key = parameters != nullptr ? "rope_parameters" : "rope_scaling";
  Rope rope{0.0, {}};
  if (object != nullptr) {
    if (!object->is_object()) config.fail(key, "is not an object");
    JsonSettings settings(*object, config.file(), std::string(key) + ".");
    if (const std::optional<double> inner = settings.find_float("rope_theta")) theta = inner;
    rope.scaling = read_scaling(settings, max_positions, original);
  }
  rope.theta = theta.value_or(family.default_rope_theta);
  if (!(rope.theta > 1.0)) config.fail("rope_theta", "is not above 1");
  return rope;
}

std::vector<bool> read_layer_types(JsonSettings& config, std::int64_t n_layers) {
  const Json* types = config.find("layer_types");
  if (types == nullptr) return {};
  if (!types->is_array() || types->size() != static_cast<std::size_t>(n_layers)) {
    config.fail("layer_types", "is not a list of one entry a layer");
  }
  std::vector<bool> sliding;
  for (const Json& type : *types) {
    if (type != "full_attention" && type != "sliding_attention") {
      config.fail("layer_types", "has " + printable(type.dump()) +
                                     "; full_attention and sliding_attention are supported");
    }
    sliding.push_back(type == "sliding_attention");
  }
  return sliding;
}

/// Window of each layer, 0 for full attention.
std::vector<std::int64_t> read_windows(JsonSettings& config, const Family& family,
                                       std::int64_t n_layers) {
  std::vector<std::int64_t> windows(static_cast<std::size_t>(n_layers), 0);
  const std::int64_t window = config.find_int("sliding_window", 0, 1LL << 40).value_or(0);
  const std::int64_t edge = config.find_int("max_window_layers", 0, 1 << 20).value_or(28);
  const bool switched = config.find_bool("use_sliding_window", false);
  const std::vector<bool> types = read_layer_types(config, n_layers);
  for (std::int64_t i = 0; i < n_layers; ++i) {
    bool sliding = false;
    switch (family.sliding) {
      case SlidingRule::kNever:
        break;
      case SlidingRule::kEveryLayer:
        sliding = true;
        break;
      case SlidingRule::kSwitched:
        sliding = switched;
        break;
      case SlidingRule::kFromMaxWindow:
        sliding =
            switched &&
            (types.empty() ? i >= edge : static_cast<bool>(types[static_cast<std::size_t>(i)]));
        break;
      case SlidingRule::kAlternateBelow:
        sliding =
            switched && (types.empty() ? i % 2 == 0 && i < edge
                                       : static_cast<bool>(types[static_cast<std::size_t>(i)]));
        break;
    }
    if (sliding) windows[static_cast<std::size_t>(i)] = window;
  }
  if (family.sliding == SlidingRule::kNever && window > 0 && switched) {
    config.fail("sliding_window", "is set, which this family does not have");
  }
  if (family.sliding == SlidingRule::kNever &&
      std::find(types.begin(), types.end(), true) != types.end()) {
    config.fail("layer_types", "has sliding_attention, which this family does not have");
  }
  return windows;
}

AttentionConfig read_attention(JsonSettings& config, const Family& family, std::int64_t hidden) {
  AttentionConfig attention;
  attention.kind = family.attention;
  attention.qk_norm = family.qk_norm;
  attention.n_heads = config.require_int("num_attention_heads", 1, kMaxWidth);
  const bool attention_bias = config.find_bool("attention_bias", false);
  switch (family.bias) {
    case BiasRule::kNever:
      if (attention_bias) config.fail("attention_bias", "is true, which this family does not have");
      break;
    case BiasRule::kAlways:
      attention.qkv_bias = true;
      break;
    case BiasRule::kQkvBiasKey:
      attention.qkv_bias = config.find_bool("qkv_bias", true);
      break;
    case BiasRule::kAttentionBiasKey:
      attention.qkv_bias = attention.output_bias = attention_bias;
      break;
  }
  const std::optional<std::int64_t> head_dim = config.find_int("head_dim", 1, kMaxWidth);
  attention.n_kv_heads =
      config.find_int("num_key_value_heads", 1, kMaxWidth).value_or(attention.n_heads);
  if (family.attention == AttentionKind::kGrouped) {
    if (!head_dim && hidden % attention.n_heads != 0) {
      config.fail("num_attention_heads", "does not divide hidden_size");
    }
    attention.head_dim = head_dim.value_or(hidden / attention.n_heads);
    return attention;
  }
  attention.n_kv_heads = 1;  // the latent is shared by all heads
  attention.q_lora_rank = config.find_int("q_lora_rank", 0, kMaxWidth).value_or(0);
  attention.kv_lora_rank = config.require_int("kv_lora_rank", 1, kMaxWidth);
  attention.qk_nope_dim = config.require_int("qk_nope_head_dim", 1, kMaxWidth);
  attention.qk_rope_dim = config.require_int("qk_rope_head_dim", 1, kMaxWidth);
  attention.value_dim = config.require_int("v_head_dim", 1, kMaxWidth);
  return attention;
}

/// DeepSeek's router keys: which scoring and which way of choosing.
void read_deepseek_router(JsonSettings& config, MoeConfig& moe) {
  const bool sigmoid = moe.router.scoring == RouterScoring::kSigmoid;
  const std::string_view known_scoring = sigmoid ? "sigmoid" : "softmax";
  const std::string scoring =
      config.find_string("scoring_func").value_or(std::string(known_scoring));
  if (scoring != known_scoring) {
    config.fail("scoring_func", "is " + printable(scoring) + ", an unknown router function; " +
                                    std::string(known_scoring) + " is supported here");
  }
  const std::string method =
      config.find_string("topk_method").value_or(sigmoid ? "noaux_tc" : "greedy");
  bool grouped = false;
  if (sigmoid && method == "noaux_tc") {
    grouped = true;
    moe.has_selection_bias = true;
    moe.router.group_score = RouterGroupScore::kTop2Sum;
  } else if (!sigmoid && method == "group_limited_greedy") {
    grouped = true;
    moe.router.group_score = RouterGroupScore::kMax;
  } else if (sigmoid || method != "greedy") {
    config.fail("topk_method",
                "is " + printable(method) + ", an unknown router function; " +
                    (sigmoid ? "noaux_tc is supported here"
                             : "greedy and group_limited_greedy are supported here"));
  }
  if (grouped) {
    moe.router.n_groups =
        static_cast<std::int32_t>(config.require_int("n_group", 1, moe.router.n_experts));
    moe.router.top_k_groups =
        static_cast<std::int32_t>(config.require_int("topk_group", 1, moe.router.n_groups));
  }
  moe.router.weight_scale = static_cast<float>(config.require_positive("routed_scaling_factor"));
}

MoeConfig read_moe(JsonSettings& config, const Family& family) {
  MoeConfig moe;
  moe.router.scoring = family.scoring;
  moe.router.n_experts = static_cast<std::int32_t>(
      config.require_int({"n_routed_experts", "num_local_experts", "num_experts"}, 1, kMaxExperts));
  moe.router.top_k =
      static_cast<std::int32_t>(config.require_int("num_experts_per_tok", 1, moe.router.n_experts));
  moe.expert_width = config.require_int(
      family.expert_width_is_intermediate_size ? "intermediate_size" : "moe_intermediate_size", 1,
      kMaxWidth);
  const bool by_key =
      config.find_bool("norm_topk_prob", family.normalize == NormalizeRule::kByKeyOn);
  switch (family.normalize) {
    case NormalizeRule::kAlways:
      moe.router.normalize_weights = true;
      break;
    case NormalizeRule::kNever:
      moe.router.normalize_weights = false;
      break;
    case NormalizeRule::kByKey:
    case NormalizeRule::kByKeyOn:
      moe.router.normalize_weights = by_key;
      break;
  }
  if (family.moe == MoeRule::kAfterFirstDense) {
    read_deepseek_router(config, moe);
    moe.shared_width =
        config.find_int("n_shared_experts", 0, kMaxExperts).value_or(0) * moe.expert_width;
  }
  if (const auto width = config.find_int("shared_expert_intermediate_size", 0, kMaxWidth)) {
    moe.shared_width = *width;
    moe.shared_gate = *width > 0;
  }
  return moe;
}

/// Which layers are mixtures of experts.
std::vector<bool> read_moe_layers(JsonSettings& config, const Family& family,
                                  std::int64_t n_layers) {
  std::vector<bool> is_moe(static_cast<std::size_t>(n_layers), family.moe != MoeRule::kNone);
  if (family.moe == MoeRule::kAfterFirstDense) {
    const std::int64_t dense = config.require_int("first_k_dense_replace", 0, kMaxLayers);
    const std::int64_t frequency = config.find_int("moe_layer_freq", 1, kMaxLayers).value_or(1);
    for (std::int64_t i = 0; i < n_layers; ++i) {
      is_moe[static_cast<std::size_t>(i)] = i >= dense && i % frequency == 0;
    }
  }
  if (family.moe == MoeRule::kSparseStep) {
    const std::int64_t step = config.find_int("decoder_sparse_step", 1, kMaxLayers).value_or(1);
    for (std::int64_t i = 0; i < n_layers; ++i) {
      is_moe[static_cast<std::size_t>(i)] = (i + 1) % step == 0;
    }
    if (const Json* dense = config.find("mlp_only_layers")) {
      if (!dense->is_array()) config.fail("mlp_only_layers", "is not a list");
      for (const Json& index : *dense) {
        if (!index.is_number_unsigned()) config.fail("mlp_only_layers", "holds no layer index");
        const auto i = index.get<std::uint64_t>();
        if (i < is_moe.size()) is_moe[i] = false;
      }
    }
  }
  return is_moe;
}

void read_quantization(JsonSettings& config, ModelConfig& model) {
  const Json* object = config.find("quantization_config");
  if (object == nullptr) return;
  if (!object->is_object()) config.fail("quantization_config", "is not an object");
  JsonSettings quantization(*object, config.file(), "quantization_config.");
  const std::string method = quantization.find_string("quant_method").value_or("");
  if (method != "fp8") {
    quantization.fail("quant_method", "is " + printable(method) + "; fp8 is supported");
  }
  if (const auto format = quantization.find_string("fmt"); format && *format != "e4m3") {
    quantization.fail("fmt", "is " + printable(*format) + "; e4m3 is supported");
  }
  const Json* tile = quantization.find("weight_block_size");
  if (tile == nullptr || !tile->is_array() || tile->size() != 2 ||
      !(*tile)[0].is_number_unsigned() || !(*tile)[1].is_number_unsigned()) {
    quantization.fail("weight_block_size", "is not a pair of sizes");
  }
  model.fp8_tile_rows = (*tile)[0].get<std::int64_t>();
  model.fp8_tile_columns = (*tile)[1].get<std::int64_t>();
  if (model.fp8_tile_rows < 1 || model.fp8_tile_columns < 1) {
    quantization.fail("weight_block_size", "is not a pair of positive sizes");
  }
}

}  // namespace

ModelConfig config_from_hugging_face(std::string_view config_json, const std::string& file) {
  const Json document = parse_json_document(config_json, file, DuplicateKeys::kLastWins);
  if (!document.is_object()) {
    throw Error(ErrorCode::kBadModel, file + ": not a JSON object", "fetch the file again");
  }
  JsonSettings config(document, file, "");
  const Family& family = family_of(config);
  check_architecture(config);
  check_forbidden(config);

  ModelConfig model;
  model.family = family.name;
  model.hidden = config.require_int("hidden_size", 1, kMaxWidth);
  model.vocab = config.require_int("vocab_size", 1, kMaxWidth);
  model.max_positions = config.require_int("max_position_embeddings", 1, 1LL << 40);
  model.rms_epsilon = static_cast<float>(config.require_positive("rms_norm_eps"));
  model.tied_embeddings = config.find_bool("tie_word_embeddings", false);
  model.prediction_layers =
      config.find_int("num_nextn_predict_layers", 0, kMaxLayers)
          .value_or(config.find_int("num_mtp_layers", 0, kMaxLayers).value_or(0));
  const std::int64_t n_layers = config.require_int("num_hidden_layers", 1, kMaxLayers);

  AttentionConfig attention = read_attention(config, family, model.hidden);
  const bool latent = attention.kind == AttentionKind::kLatent;
  const Rope rope = read_rope(config, family, static_cast<double>(model.max_positions));
  model.rope.dim = latent ? attention.qk_rope_dim : attention.head_dim;
  model.rope.pairing = family.pairing;
  if (latent && !config.find_bool("rope_interleave", true)) {
    model.rope.pairing = RopePairing::kHalves;
  }
  apply_rope_scaling(model.rope, rope.theta, rope.scaling);
  const std::int64_t key_width =
      latent ? attention.qk_nope_dim + attention.qk_rope_dim : attention.head_dim;
  double scale = 1.0 / std::sqrt(static_cast<double>(key_width));
  if (latent && rope.scaling.mscale_all_dim != 0.0) {
    const double magnitude = yarn_magnitude(rope.scaling.factor, rope.scaling.mscale_all_dim);
    scale *= magnitude * magnitude;
  }
  attention.scale = static_cast<float>(scale);

  const std::vector<std::int64_t> windows = read_windows(config, family, n_layers);
  const std::vector<bool> is_moe = read_moe_layers(config, family, n_layers);
  std::optional<MoeConfig> moe;
  if (std::find(is_moe.begin(), is_moe.end(), true) != is_moe.end()) moe = read_moe(config, family);
  for (std::size_t i = 0; i < is_moe.size(); ++i) {
    LayerConfig layer;
    layer.attention = attention;
    layer.attention.sliding_window_tokens = windows[i];
    if (is_moe[i]) {
      layer.moe = moe;
    } else {
      layer.dense_width = config.require_int("intermediate_size", 1, kMaxWidth);
    }
    model.layers.push_back(std::move(layer));
  }
  read_quantization(config, model);
  check_config(model, file);
  if (moe && family.normalize == NormalizeRule::kNever &&
      config.find_bool("norm_topk_prob", false)) {
    model.notes.push_back("norm_topk_prob is true, but transformers' " + model.family +
                          " never normalises the experts' weights, and neither does this engine");
  }
  // Meaningful to other layer kinds of the same family, so not worth a note here.
  for (const char* key :
       {"intermediate_size", "moe_intermediate_size", "norm_topk_prob", "n_group", "topk_group",
        "topk_method", "scoring_func", "routed_scaling_factor", "n_shared_experts", "num_experts",
        "num_local_experts", "n_routed_experts", "num_experts_per_tok",
        "shared_expert_intermediate_size", "rope_interleave", "first_k_dense_replace",
        "moe_layer_freq"}) {
    config.find(key);
  }
  note_unknown_keys(config, model);
  return model;
}

}  // namespace moebench
