#include "engine/model/gguf_export.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/model/family_table.h"
#include "engine/model/gguf_keys.h"
#include "engine/model/rope_scaling.h"
#include "engine/tensor/convert.h"

namespace moebench {
namespace {

using enum TensorRole;

const Family& family_named(const std::string& name) {
  for (const Family& family : family_table()) {
    if (family.name == name) return family;
  }
  throw Error(ErrorCode::kInternal, "no family is called " + name);
}

std::uint32_t as_u32(std::int64_t value) {
  MOEBENCH_CHECK(value >= 0);
  // A context of 2^40 tokens is allowed in a config.json, but GGUF's readers want 32 bits.
  return static_cast<std::uint32_t>(
      std::min<std::int64_t>(value, std::numeric_limits<std::uint32_t>::max()));
}

bool is_stack(TensorRole role) {
  return role == kExpertsGate || role == kExpertsUp || role == kExpertsDown;
}

/// Of the tensors of one expert that a stack is made of.
TensorRole one_expert(TensorRole stack) {
  return stack == kExpertsGate ? kExpertGate : stack == kExpertsUp ? kExpertUp : kExpertDown;
}

/// GGUF holds Qwen2-MoE's (1, hidden) gate as a vector.
Shape gguf_shape(TensorRole role, const Shape& shape) {
  return role == kSharedSwitch ? Shape{shape[1]} : shape;
}

/// Rows of `bytes_per_row`: within the last `rotation.rotated` rows of each head, row i of the
/// first half goes to 2 i, row i of the second to 2 i + 1.
std::unique_ptr<std::byte[]> interleave_rows(const std::byte* rows, std::size_t n_rows,
                                             std::size_t bytes_per_row, std::size_t heads,
                                             std::size_t rotated) {
  auto result = std::make_unique_for_overwrite<std::byte[]>(n_rows * bytes_per_row);
  std::memcpy(result.get(), rows, n_rows * bytes_per_row);
  const std::size_t head_rows = n_rows / heads;
  for (std::size_t head = 0; head < heads; ++head) {
    const std::size_t first = (head + 1) * head_rows - rotated;
    for (std::size_t i = 0; i < rotated; ++i) {
      const std::size_t from = i / 2 + (i % 2) * (rotated / 2);
      std::memcpy(result.get() + (first + i) * bytes_per_row, rows + (first + from) * bytes_per_row,
                  bytes_per_row);
    }
  }
  return result;
}

}  // namespace

GgufExport::GgufExport(const ModelSource& source, DType type)
    : source_(source),
      config_(source.config),
      type_(type),
      weights_(source.config, source.checkpoint, std::nullopt) {
  MOEBENCH_CHECK(!source.gguf && can_convert_from_f32(type));
  check_sayable();
  plan(kEmbedding);
  plan(kOutputNorm);
  if (config_.tied_embeddings) {
    weights_.skip(kLmHead);
  } else {
    plan(kLmHead);
  }
  if (config_.rope.scaling.kind == RopeScalingKind::kLlama3) {
    plans_.push_back({std::string(gguf_key::kRopeDivisorsTensor), DType::kF32,
                      Shape{config_.rope.dim / 2}, kEmbedding, -1, true});
  }
  for (std::size_t i = 0; i < config_.layers.size(); ++i) {
    plan_layer(static_cast<std::int64_t>(i));
  }
  weights_.check_all_taken(notes_);
  if (substituted_ > 0) {
    notes_.push_back(std::to_string(substituted_) + " matrices have rows that fill no blocks of " +
                     std::string(name(type_)) + "; they are q8_0 or as before");
  }
  note_differences();
}

void GgufExport::check_sayable() const {
  const RopeScaling& scaling = config_.rope.scaling;
  const auto refuse = [](const std::string& what) {
    throw Error(ErrorCode::kUsage, "GGUF has no word for " + what,
                "use the model as it is; `--weights-type` quantises any model at load");
  };
  if (scaling.kind == RopeScalingKind::kYarn && !scaling.truncate) {
    refuse("YaRN whose ramp is not cut to whole dimensions (truncate = false)");
  }
  if (scaling.kind != RopeScalingKind::kYarn && scaling.mscale_all_dim != 0.0 &&
      config_.layers.front().attention.kind == AttentionKind::kLatent) {
    refuse("mscale_all_dim without YaRN");
  }
}

/// Where llama.cpp's graphs leave out what this file asks for.
void GgufExport::note_differences() {
  const auto any = [&](const auto& holds) {
    return std::any_of(config_.layers.begin(), config_.layers.end(), holds);
  };
  if (any([](const LayerConfig& l) { return l.attention.sliding_window_tokens > 0; })) {
    notes_.push_back("llama.cpp ignores the sliding window of this family");
  }
  const bool deepseek_v2 = config_.family == "deepseek_v2";
  if (deepseek_v2 &&
      any([](const LayerConfig& l) { return l.moe && l.moe->router.n_groups > 1; })) {
    notes_.push_back(
        "llama.cpp chooses DeepSeek-V2's expert groups as V3 does, by their two best experts");
  }
  const bool normalizes =
      any([](const LayerConfig& l) { return l.moe && l.moe->router.normalize_weights; });
  if (normalizes && (config_.family == "olmoe" || config_.family == "qwen2_moe")) {
    notes_.push_back("llama.cpp does not normalise the expert weights of this family");
  }
  const AttentionConfig& attention = config_.layers.front().attention;
  if (attention.kind == AttentionKind::kLatent && attention.qkv_bias) {
    notes_.push_back("llama.cpp cannot load biases in DeepSeek's attention");
  }
  if (attention.qk_norm == QkNorm::kFullWidth && attention.n_kv_heads != attention.n_heads) {
    notes_.push_back("llama.cpp cannot load OLMoE with fewer key-value heads than heads");
  }
  // It takes an architecture's layers as all dense or all sparse, DeepSeek's first ones apart.
  bool sparse_before = false, dense_after = false;
  for (const LayerConfig& layer : config_.layers) {
    dense_after = dense_after || (sparse_before && !layer.moe);
    sparse_before = sparse_before || layer.moe;
  }
  const bool leading_dense = sparse_before && !config_.layers.front().moe;
  if (dense_after || (leading_dense && attention.kind != AttentionKind::kLatent)) {
    notes_.push_back("llama.cpp cannot load this order of dense and sparse layers");
  }
}

const LayerConfig* GgufExport::layer_config(std::int64_t layer) const {
  return layer < 0 ? nullptr : &config_.layers[static_cast<std::size_t>(layer)];
}

DType GgufExport::locate_sources(TensorRole role, std::int64_t layer) {
  const auto take = [&](TensorRole part, std::int64_t expert) {
    const TensorView& view = weights_.locate(part, layer, expert).view;
    bytes_before_ += static_cast<std::int64_t>(view.size_bytes());
    return view.dtype;
  };
  if (role == kKB) return weights_.stored_type(kKvB, layer);  // counted once, with kVB
  if (role == kVB) return take(kKvB, -1);
  if (!is_stack(role)) return take(role, -1);
  if (weights_.has(kExpertsDown, layer)) {
    if (role == kExpertsDown) return take(role, -1);
    if (role == kExpertsGate) return take(kExpertsGateUp, -1);
    return weights_.stored_type(kExpertsGateUp, layer);
  }
  DType stored = DType::kF32;
  for (std::int32_t i = 0; i < layer_config(layer)->moe->router.n_experts; ++i) {
    stored = take(one_expert(role), i);
  }
  return stored;
}

DType GgufExport::type_of(TensorRole role, const Shape& shape, DType stored) {
  if (shape.rank() == 1 || role == kRouter) return DType::kF32;
  const auto columns = static_cast<std::size_t>(shape.back());
  for (const DType candidate : {type_, DType::kQ8_0}) {
    if (columns % traits(candidate).block_elements != 0) continue;
    if (candidate != type_) ++substituted_;
    return candidate;
  }
  ++substituted_;
  return stored == DType::kF8E4M3 ? DType::kBF16 : stored;
}

void GgufExport::plan(TensorRole role, std::int64_t layer) {
  const std::optional<Shape> expected = expected_shape(role, config_, layer_config(layer));
  if (!expected) return;
  const DType stored = locate_sources(role, layer);
  const Shape shape = gguf_shape(role, *expected);
  const DType type = type_of(role, shape, stored);
  if (type != stored && type == type_) ++converted_;
  plans_.push_back(
      {tensor_names(role, TensorNaming::kGguf, layer).front(), type, shape, role, layer});
}

void GgufExport::plan_layer(std::int64_t layer) {
  // Not here: the joint forms (kKvB, kExpertsGateUp) and the experts one by one.
  static constexpr std::array kRoles = {kAttentionNorm,
                                        kQ,
                                        kQBias,
                                        kK,
                                        kKBias,
                                        kV,
                                        kVBias,
                                        kQNorm,
                                        kKNorm,
                                        kQA,
                                        kQABias,
                                        kQANorm,
                                        kQB,
                                        kKvA,
                                        kKvABias,
                                        kKvANorm,
                                        kKB,
                                        kVB,
                                        kO,
                                        kOBias,
                                        kMlpNorm,
                                        kDenseGate,
                                        kDenseUp,
                                        kDenseDown,
                                        kRouter,
                                        kSelectionBias,
                                        kExpertsGate,
                                        kExpertsUp,
                                        kExpertsDown,
                                        kSharedGate,
                                        kSharedUp,
                                        kSharedDown,
                                        kSharedSwitch};
  for (const TensorRole role : kRoles) plan(role, layer);
}

// --- metadata ------------------------------------------------------------------------------------

void GgufExport::add_keys(GgufWriter& writer) const {
  const Family& family = family_named(config_.family);
  const std::string prefix = std::string(family.gguf_architecture) + ".";
  const auto u32 = [&](std::string_view key, std::int64_t value) {
    writer.add_u32(prefix + std::string(key), as_u32(value));
  };
  writer.add_string("general.architecture", family.gguf_architecture);
  u32(gguf_key::kContextLength, config_.max_positions);
  u32(gguf_key::kEmbeddingLength, config_.hidden);
  u32(gguf_key::kBlockCount, static_cast<std::int64_t>(config_.layers.size()));
  u32(gguf_key::kVocabSize, config_.vocab);
  writer.add_f32(prefix + std::string(gguf_key::kRmsEpsilon), config_.rms_epsilon);
  const MoeConfig* moe = nullptr;
  std::int64_t width = 0, leading_dense = 0;
  for (const LayerConfig& layer : config_.layers) {
    if (layer.moe) {
      moe = &*layer.moe;
    } else {
      width = layer.dense_width;
      if (moe == nullptr) ++leading_dense;
    }
  }
  if (width == 0 && family.expert_width_is_intermediate_size) width = moe->expert_width;
  if (width > 0) u32(gguf_key::kFeedForwardLength, width);
  add_attention_keys(writer, prefix);
  add_rope_keys(writer, prefix);
  if (moe != nullptr) add_moe_keys(writer, prefix, *moe);
  if (family.moe == MoeRule::kAfterFirstDense) u32(gguf_key::kLeadingDenseBlocks, leading_dense);
}

void GgufExport::add_attention_keys(GgufWriter& writer, const std::string& prefix) const {
  const auto u32 = [&](std::string_view key, std::int64_t value) {
    writer.add_u32(prefix + std::string(key), as_u32(value));
  };
  const AttentionConfig& a = config_.layers.front().attention;
  u32(gguf_key::kHeadCount, a.n_heads);
  u32(gguf_key::kKvHeadCount, a.n_kv_heads);
  if (a.kind == AttentionKind::kLatent) {
    u32(gguf_key::kQLoraRank, a.q_lora_rank);  // 0 too: llama.cpp wants it but for V2-Lite's layers
    u32(gguf_key::kKvLoraRank, a.kv_lora_rank);
    u32(gguf_key::kKeyLength, a.kv_lora_rank + a.qk_rope_dim);
    u32(gguf_key::kValueLength, a.kv_lora_rank);
    u32(gguf_key::kKeyLengthMla, a.qk_nope_dim + a.qk_rope_dim);
    u32(gguf_key::kValueLengthMla, a.value_dim);
  } else {
    u32(gguf_key::kKeyLength, a.head_dim);
    u32(gguf_key::kValueLength, a.head_dim);
  }
  std::int64_t window = 0;
  std::vector<bool> pattern;
  for (const LayerConfig& layer : config_.layers) {
    pattern.push_back(layer.attention.sliding_window_tokens > 0);
    window = std::max(window, layer.attention.sliding_window_tokens);
  }
  if (window == 0) return;
  u32(gguf_key::kSlidingWindow, window);
  if (std::find(pattern.begin(), pattern.end(), false) != pattern.end()) {
    writer.add_bools(prefix + std::string(gguf_key::kSlidingWindowPattern), pattern);
  }
}

void GgufExport::add_rope_keys(GgufWriter& writer, const std::string& prefix) const {
  const RopeScaling& scaling = config_.rope.scaling;
  const auto f32 = [&](std::string_view key, double value) {
    writer.add_f32(prefix + std::string(key), static_cast<float>(value));
  };
  writer.add_u32(prefix + std::string(gguf_key::kRopeDimensions), as_u32(config_.rope.dim));
  f32(gguf_key::kRopeBase, config_.rope.theta);
  if (scaling.kind != RopeScalingKind::kLinear && scaling.kind != RopeScalingKind::kYarn) return;
  const bool yarn = scaling.kind == RopeScalingKind::kYarn;
  writer.add_string(prefix + std::string(gguf_key::kRopeScalingType), yarn ? "yarn" : "linear");
  f32(gguf_key::kRopeScalingFactor, scaling.factor);
  if (!yarn) return;
  writer.add_u32(prefix + std::string(gguf_key::kRopeOriginalContext),
                 as_u32(static_cast<std::int64_t>(scaling.original_positions)));
  f32(gguf_key::kYarnBetaFast, scaling.beta_fast);
  f32(gguf_key::kYarnBetaSlow, scaling.beta_slow);
  const bool latent = config_.layers.front().attention.kind == AttentionKind::kLatent;
  RopeScaling read = scaling;  // what a reader derives without an attention factor
  read.attention_factor = 0.0;
  read.mscale = read.mscale_all_dim = latent ? scaling.mscale_all_dim : 0.0;
  if (latent && scaling.mscale_all_dim != 0.0) {
    f32(gguf_key::kYarnLogMultiplier, 0.1 * scaling.mscale_all_dim);
  }
  const double factor = yarn_attention_factor(scaling) / yarn_attention_factor(read);
  if (factor != 1.0) f32(gguf_key::kRopeAttentionFactor, factor);
}

void GgufExport::add_moe_keys(GgufWriter& writer, const std::string& prefix,
                              const MoeConfig& moe) const {
  const auto u32 = [&](std::string_view key, std::int64_t value) {
    writer.add_u32(prefix + std::string(key), as_u32(value));
  };
  const RouterOptions& router = moe.router;
  u32(gguf_key::kExpertCount, router.n_experts);
  u32(gguf_key::kExpertUsedCount, router.top_k);
  u32(gguf_key::kExpertWidth, moe.expert_width);
  u32(gguf_key::kExpertGating, router.scoring == RouterScoring::kSigmoid
                                   ? gguf_key::kGatingSigmoid
                                   : gguf_key::kGatingSoftmax);
  writer.add_bool(prefix + std::string(gguf_key::kExpertWeightsNorm), router.normalize_weights);
  writer.add_f32(prefix + std::string(gguf_key::kExpertWeightsScale), router.weight_scale);
  if (family_named(config_.family).moe == MoeRule::kAfterFirstDense) {
    u32(gguf_key::kSharedExpertCount, moe.shared_width / moe.expert_width);
    const bool limited = router.top_k_groups < router.n_groups;
    u32(gguf_key::kExpertGroups, limited ? router.n_groups : 1);
    u32(gguf_key::kExpertGroupsUsed, limited ? router.top_k_groups : 1);
  } else if (moe.shared_width > 0) {
    u32(gguf_key::kSharedExpertWidth, moe.shared_width);
  }
}

// --- tensors -------------------------------------------------------------------------------------

std::int64_t GgufExport::bytes_after() const noexcept {
  std::int64_t bytes = 0;
  for (const Plan& plan : plans_) {
    bytes += static_cast<std::int64_t>(TensorView{nullptr, plan.type, plan.shape}.size_bytes());
  }
  return bytes;
}

void GgufExport::add_tensors(GgufWriter& writer) const {
  for (const Plan& plan : plans_) writer.add_tensor(plan.name, plan.type, plan.shape);
}

GgufExport::Rotation GgufExport::rotation_of(TensorRole role, std::int64_t layer) const {
  if (config_.rope.pairing == family_named(config_.family).gguf_pairing || layer < 0) return {};
  MOEBENCH_CHECK(config_.rope.pairing == RopePairing::kHalves);  // no family goes the other way
  const AttentionConfig& a = layer_config(layer)->attention;
  MOEBENCH_CHECK(a.qk_norm == QkNorm::kNone);  // its weights would have to follow
  switch (role) {
    case kQ:
    case kQBias:
    case kQB:
      return {a.n_heads, config_.rope.dim};
    case kK:
    case kKBias:
      return {a.n_kv_heads, config_.rope.dim};
    case kKvA:
    case kKvABias:
      return {1, config_.rope.dim};
    default:
      return {};
  }
}

void GgufExport::write_rows(GgufWriter& writer, const TensorView& view, DType to) const {
  if (view.dtype == to) {
    writer.write({view.data, view.size_bytes()});
  } else {
    const TensorView after{nullptr, to, view.shape};
    writer.write({convert_rows(view, to).get(), after.size_bytes()});
  }
}

/// The experts of a layer, one by one, from tensors of their own or from a joint one.
void GgufExport::write_stack(GgufWriter& writer, const Plan& plan) {
  const MoeConfig& moe = *layer_config(plan.layer)->moe;
  if (!weights_.has(kExpertsDown, plan.layer)) {
    for (std::int32_t i = 0; i < moe.router.n_experts; ++i) {
      const LoadedTensor expert = weights_.take(one_expert(plan.role), plan.layer, i);
      write_rows(writer, expert.view, plan.type);
      source_.files->release_pages(expert.mapped);
    }
    return;
  }
  const bool down = plan.role == kExpertsDown;
  const LoadedTensor all = weights_.take(down ? kExpertsDown : kExpertsGateUp, plan.layer);
  const std::int64_t rows = plan.shape[1], columns = plan.shape[2];
  const std::size_t bytes_per_row = row_bytes(all.view.dtype, static_cast<std::size_t>(columns));
  for (std::int64_t i = 0; i < moe.router.n_experts; ++i) {
    const std::int64_t first = i * all.view.shape[1] + (plan.role == kExpertsUp ? rows : 0);
    write_rows(writer,
               {all.view.data + static_cast<std::size_t>(first) * bytes_per_row, all.view.dtype,
                Shape{rows, columns}},
               plan.type);
  }
  source_.files->release_pages(all.mapped);
}

void GgufExport::write_tensors(GgufWriter& writer) {
  for (const Plan& plan : plans_) {
    if (plan.divisors) {
      const std::vector<float> divisors = llama3_divisors(config_.rope);
      writer.write(std::as_bytes(std::span(divisors)));
      continue;
    }
    if (is_stack(plan.role)) {
      write_stack(writer, plan);
      continue;
    }
    if (plan.role == kKB || plan.role == kVB) {
      const LoadedTensor joint = weights_.take_f32(kKvB, plan.layer);
      const AttentionConfig& attention = layer_config(plan.layer)->attention;
      const LoadedTensor half = plan.role == kKB ? latent_key_half(attention, joint.view)
                                                 : latent_value_half(attention, joint.view);
      write_rows(writer, half.view, plan.type);
      source_.files->release_pages(joint.mapped);
      continue;
    }
    const LoadedTensor loaded = weights_.take(plan.role, plan.layer);
    TensorView view = loaded.view;
    std::unique_ptr<std::byte[]> rotated;
    if (const Rotation rotation = rotation_of(plan.role, plan.layer); rotation.heads > 0) {
      const auto rows = static_cast<std::size_t>(view.shape[0]);
      rotated = interleave_rows(view.data, rows, view.size_bytes() / rows,
                                static_cast<std::size_t>(rotation.heads),
                                static_cast<std::size_t>(rotation.rotated));
      view.data = rotated.get();
    }
    write_rows(writer, view, plan.type);
    source_.files->release_pages(loaded.mapped);
  }
}

}  // namespace moebench
