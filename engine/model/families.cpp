#include "engine/model/families.h"

#include <array>

#include "engine/base/error.h"
#include "engine/model/family_table.h"

namespace moebench {
namespace {

constexpr auto kGrouped = AttentionKind::kGrouped;
constexpr auto kLatent = AttentionKind::kLatent;
constexpr auto kHalves = RopePairing::kHalves;
constexpr auto kInterleaved = RopePairing::kInterleaved;
constexpr auto kSoftmax = RouterScoring::kSoftmax;
constexpr auto kSigmoid = RouterScoring::kSigmoid;

// One row a family; the columns are Family's fields.
constexpr std::array<Family, 10> kFamilies = {{
    {"llama", "", "llama", kGrouped, kHalves, kInterleaved, QkNorm::kNone,
     BiasRule::kAttentionBiasKey, SlidingRule::kNever, MoeRule::kNone, kSoftmax,
     NormalizeRule::kNever, false, false, 10000.0},
    {"mistral", "", "llama", kGrouped, kHalves, kInterleaved, QkNorm::kNone, BiasRule::kNever,
     SlidingRule::kEveryLayer, MoeRule::kNone, kSoftmax, NormalizeRule::kNever, false, false,
     10000.0},
    {"qwen2", "", "qwen2", kGrouped, kHalves, kHalves, QkNorm::kNone, BiasRule::kAlways,
     SlidingRule::kFromMaxWindow, MoeRule::kNone, kSoftmax, NormalizeRule::kNever, false, false,
     10000.0},
    {"qwen3", "", "qwen3", kGrouped, kHalves, kHalves, QkNorm::kPerHead,
     BiasRule::kAttentionBiasKey, SlidingRule::kFromMaxWindow, MoeRule::kNone, kSoftmax,
     NormalizeRule::kNever, false, false, 10000.0},
    {"mixtral", "", "llama", kGrouped, kHalves, kInterleaved, QkNorm::kNone, BiasRule::kNever,
     SlidingRule::kEveryLayer, MoeRule::kEveryLayer, kSoftmax, NormalizeRule::kAlways, true, true,
     1000000.0},
    {"qwen2_moe", "", "qwen2moe", kGrouped, kHalves, kHalves, QkNorm::kNone, BiasRule::kQkvBiasKey,
     SlidingRule::kAlternateBelow, MoeRule::kSparseStep, kSoftmax, NormalizeRule::kByKey, false,
     false, 10000.0},
    {"qwen3_moe", "", "qwen3moe", kGrouped, kHalves, kHalves, QkNorm::kPerHead,
     BiasRule::kAttentionBiasKey, SlidingRule::kSwitched, MoeRule::kSparseStep, kSoftmax,
     NormalizeRule::kByKey, true, false, 10000.0},
    {"olmoe", "", "olmoe", kGrouped, kHalves, kHalves, QkNorm::kFullWidth,
     BiasRule::kAttentionBiasKey, SlidingRule::kNever, MoeRule::kEveryLayer, kSoftmax,
     NormalizeRule::kByKey, false, true, 10000.0},
    {"deepseek_v2", "", "deepseek2", kLatent, kInterleaved, kInterleaved, QkNorm::kNone,
     BiasRule::kAttentionBiasKey, SlidingRule::kNever, MoeRule::kAfterFirstDense, kSoftmax,
     NormalizeRule::kNever, false, false, 10000.0},
    {"deepseek_v3", "kimi_k2", "deepseek2", kLatent, kInterleaved, kInterleaved, QkNorm::kNone,
     BiasRule::kAttentionBiasKey, SlidingRule::kNever, MoeRule::kAfterFirstDense, kSigmoid,
     NormalizeRule::kByKeyOn, true, false, 10000.0},
}};

[[noreturn]] void fail(const std::string& file, const std::string& what) {
  throw Error(ErrorCode::kBadModel, file + ": " + what, "check the model's configuration");
}

void check_attention(const AttentionConfig& attention, const std::string& file) {
  if (attention.kind == AttentionKind::kGrouped && attention.n_heads % attention.n_kv_heads != 0) {
    fail(file, std::to_string(attention.n_heads) + " attention heads cannot share " +
                   std::to_string(attention.n_kv_heads) + " key-value heads evenly");
  }
}

void check_moe(const MoeConfig& moe, const std::string& file) {
  const RouterOptions& router = moe.router;
  if (router.n_experts % router.n_groups != 0) {
    fail(file, std::to_string(router.n_experts) + " experts cannot form " +
                   std::to_string(router.n_groups) + " equal groups");
  }
  const std::int32_t group_size = router.n_experts / router.n_groups;
  if (router.top_k_groups > router.n_groups || router.top_k > router.top_k_groups * group_size) {
    fail(file, "the router cannot choose " + std::to_string(router.top_k) + " experts from " +
                   std::to_string(router.top_k_groups) + " of " + std::to_string(router.n_groups) +
                   " groups of " + std::to_string(group_size));
  }
  if (router.n_groups > 1 && router.group_score == RouterGroupScore::kTop2Sum && group_size < 2) {
    fail(file, "a group's score is the sum of its two best experts, but groups have one");
  }
}

}  // namespace

std::span<const Family> family_table() noexcept { return kFamilies; }

std::vector<std::string> supported_families() {
  std::vector<std::string> names;
  for (const Family& family : kFamilies) names.emplace_back(family.name);
  return names;
}

void check_config(const ModelConfig& config, const std::string& file) {
  if (config.rope.dim % 2 != 0) {
    fail(file, "rotary embedding over an odd width, " + std::to_string(config.rope.dim));
  }
  for (const LayerConfig& layer : config.layers) {
    check_attention(layer.attention, file);
    if (layer.moe) check_moe(*layer.moe, file);
  }
}

}  // namespace moebench
