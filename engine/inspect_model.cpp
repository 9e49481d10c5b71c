#include <algorithm>
#include <filesystem>

#include "engine/canary/embedded.h"
#include "engine/engine.h"
#include "engine/model/model_source.h"
#include "engine/model/summary.h"
#include "engine/model/weights.h"
#include "engine/tokenizer_source.h"

namespace moebench {
namespace {

std::string types_of(const std::map<DType, std::int64_t>& bytes_of_type) {
  std::vector<std::pair<std::int64_t, DType>> by_bytes;
  for (const auto& [dtype, bytes] : bytes_of_type) by_bytes.emplace_back(-bytes, dtype);
  std::sort(by_bytes.begin(), by_bytes.end());
  std::string text;
  for (const auto& [bytes, dtype] : by_bytes) {
    text += (text.empty() ? "" : ", ") + std::string(name(dtype));
  }
  return text;
}

std::string attention_in_words(const AttentionConfig& a) {
  const auto n = [](std::int64_t number) { return std::to_string(number); };
  if (a.kind == AttentionKind::kLatent) {
    return "multi-head latent attention: " + n(a.n_heads) + " heads, latent " + n(a.kv_lora_rank) +
           " + rotary " + n(a.qk_rope_dim) +
           (a.q_lora_rank > 0 ? ", query rank " + n(a.q_lora_rank) : "");
  }
  std::string text = a.n_kv_heads == a.n_heads
                         ? "multi-head attention: " + n(a.n_heads) + " heads of " + n(a.head_dim)
                         : "grouped-query attention: " + n(a.n_heads) + " heads of " +
                               n(a.head_dim) + " over " + n(a.n_kv_heads) + " key-value heads";
  if (a.sliding_window_tokens > 0) text += ", window " + n(a.sliding_window_tokens);
  if (a.qk_norm != QkNorm::kNone) text += ", normalised queries and keys";
  if (a.qkv_bias) text += ", biases";
  return text;
}

std::string router_in_words(const MoeConfig& moe) {
  const RouterOptions& r = moe.router;
  std::string text = std::to_string(r.top_k) + " of " + std::to_string(r.n_experts) + " experts";
  text += r.scoring == RouterScoring::kSigmoid ? ", sigmoid" : ", softmax";
  if (r.n_groups > 1) {
    text += ", from " + std::to_string(r.top_k_groups) + " of " + std::to_string(r.n_groups) +
            " groups";
  }
  if (moe.has_selection_bias) text += ", selection bias";
  text += r.normalize_weights ? ", weights normalised" : ", weights as scored";
  if (r.weight_scale != 1.0f) {
    std::string scale = std::to_string(r.weight_scale);
    scale.erase(scale.find_last_not_of('0') + 1);
    if (scale.back() == '.') scale.pop_back();
    text += " and scaled by " + scale;
  }
  if (moe.shared_width > 0) text += "; shared expert of width " + std::to_string(moe.shared_width);
  return text;
}

}  // namespace

ModelInspection inspect_model(const std::string& model) {
  const ModelSource source =
      open_model(model == "canary" ? embedded_canary() : ModelFiles::open(model));
  const WeightSummary summary = summarize_weights(source);
  const ModelConfig& config = source.config;
  ModelInspection inspection;
  EngineInfo& info = inspection.info;
  std::filesystem::path path(model);
  if (!path.has_filename()) path = path.parent_path();  // "folder/"
  info.model_name = path.filename().string();
  info.family = config.family;
  info.format = source.checkpoint.format();
  info.total_parameters = summary.parameters();
  info.active_parameters = summary.active_parameters();
  info.weight_bytes = summary.bytes();
  info.n_layers = static_cast<std::int64_t>(config.layers.size());
  info.vocab = config.vocab;
  info.max_context_tokens = config.max_positions;
  inspection.kv_values_per_token = kv_values_per_token(config);
  info.kv_cache_type = "f16";
  info.kv_bytes_per_token = inspection.kv_values_per_token * 2;
  inspection.hidden = config.hidden;
  inspection.attention = attention_in_words(config.layers.back().attention);
  for (const LayerConfig& layer : config.layers) {
    if (!layer.moe) continue;
    ++info.n_moe_layers;
    info.n_experts = layer.moe->router.n_experts;
    info.experts_per_token = layer.moe->router.top_k;
    inspection.router = router_in_words(*layer.moe);
  }
  std::map<DType, std::int64_t> all_types;
  for (const TensorKindSummary& kind : summary.kinds) {
    inspection.kinds.push_back({kind.kind, types_of(kind.bytes_of_type), kind.tensors,
                                kind.parameters, kind.active_parameters, kind.bytes()});
    for (const auto& [dtype, bytes] : kind.bytes_of_type) all_types[dtype] += bytes;
  }
  info.weight_types = types_of(all_types);
  inspection.notes = config.notes;
  inspection.notes.insert(inspection.notes.end(), summary.notes.begin(), summary.notes.end());
  if (const std::optional<Tokenizer> tokenizer = tokenizer_of(source)) {
    inspection.tokenizer = std::to_string(tokenizer->vocab_size()) + " tokens";
    inspection.chat_template = tokenizer->chat_template();
    info.has_chat_template = !inspection.chat_template.empty();
  }
  return inspection;
}

}  // namespace moebench
