#pragma once

#include <cstdint>
#include <string_view>

namespace moebench::gguf_key {

// The names of GGUF metadata keys that describe a transformer, relative to the architecture
// ("block_count" is "<architecture>.block_count"): read by families_gguf.cpp, written by
// gguf_export.cpp.

inline constexpr std::string_view kContextLength = "context_length";
inline constexpr std::string_view kEmbeddingLength = "embedding_length";
inline constexpr std::string_view kBlockCount = "block_count";
inline constexpr std::string_view kFeedForwardLength = "feed_forward_length";
inline constexpr std::string_view kVocabSize = "vocab_size";
inline constexpr std::string_view kPredictionLayers = "nextn_predict_layers";
inline constexpr std::string_view kLeadingDenseBlocks = "leading_dense_block_count";
inline constexpr std::string_view kHeadCount = "attention.head_count";
inline constexpr std::string_view kKvHeadCount = "attention.head_count_kv";
inline constexpr std::string_view kKeyLength = "attention.key_length";
inline constexpr std::string_view kValueLength = "attention.value_length";
inline constexpr std::string_view kKeyLengthMla = "attention.key_length_mla";
inline constexpr std::string_view kValueLengthMla = "attention.value_length_mla";
inline constexpr std::string_view kQLoraRank = "attention.q_lora_rank";
inline constexpr std::string_view kKvLoraRank = "attention.kv_lora_rank";
inline constexpr std::string_view kRmsEpsilon = "attention.layer_norm_rms_epsilon";
inline constexpr std::string_view kSlidingWindow = "attention.sliding_window";
inline constexpr std::string_view kSlidingWindowPattern = "attention.sliding_window_pattern";
inline constexpr std::string_view kRopeDimensions = "rope.dimension_count";
inline constexpr std::string_view kRopeBase = "rope.freq_base";
inline constexpr std::string_view kRopeScaleLinear = "rope.scale_linear";
inline constexpr std::string_view kRopeScalingType = "rope.scaling.type";
inline constexpr std::string_view kRopeScalingFactor = "rope.scaling.factor";
inline constexpr std::string_view kRopeOriginalContext = "rope.scaling.original_context_length";
inline constexpr std::string_view kRopeAttentionFactor = "rope.scaling.attn_factor";
inline constexpr std::string_view kYarnAttentionFactor = "rope.scaling.yarn_attn_factor";
inline constexpr std::string_view kYarnExtrapolation = "rope.scaling.yarn_ext_factor";
inline constexpr std::string_view kYarnBetaFast = "rope.scaling.yarn_beta_fast";
inline constexpr std::string_view kYarnBetaSlow = "rope.scaling.yarn_beta_slow";
inline constexpr std::string_view kYarnLogMultiplier = "rope.scaling.yarn_log_multiplier";
inline constexpr std::string_view kExpertCount = "expert_count";
inline constexpr std::string_view kExpertUsedCount = "expert_used_count";
inline constexpr std::string_view kExpertWidth = "expert_feed_forward_length";
inline constexpr std::string_view kSharedExpertCount = "expert_shared_count";
inline constexpr std::string_view kSharedExpertWidth = "expert_shared_feed_forward_length";
inline constexpr std::string_view kExpertGroups = "expert_group_count";
inline constexpr std::string_view kExpertGroupsUsed = "expert_group_used_count";
inline constexpr std::string_view kExpertWeightsNorm = "expert_weights_norm";
inline constexpr std::string_view kExpertWeightsScale = "expert_weights_scale";
inline constexpr std::string_view kExpertGating = "expert_gating_func";

/// Values of kExpertGating; absent or 0: written before the key existed, when softmax was all there
/// was.
inline constexpr std::int64_t kGatingSoftmax = 1;
inline constexpr std::int64_t kGatingSigmoid = 2;

/// The tensor that holds what Llama 3's scaling divides each rotary frequency by.
inline constexpr std::string_view kRopeDivisorsTensor = "rope_freqs.weight";

}  // namespace moebench::gguf_key
