#include "engine/backends/routing.h"

#include <cmath>
#include <limits>

namespace moebench {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

void score(const float* logits, const RouterOptions& options, float* scores) noexcept {
  const std::int32_t n = options.n_experts;
  if (options.scoring == RouterScoring::kSigmoid) {
    for (std::int32_t e = 0; e < n; ++e) scores[e] = 1.0f / (1.0f + std::exp(-logits[e]));
    return;
  }
  float highest = kNever;
  for (std::int32_t e = 0; e < n; ++e) highest = logits[e] > highest ? logits[e] : highest;
  float sum = 0.0f;
  for (std::int32_t e = 0; e < n; ++e) {
    scores[e] = std::exp(logits[e] - highest);
    sum += scores[e];
  }
  for (std::int32_t e = 0; e < n; ++e) scores[e] /= sum;
}

/// Index of the highest value, the lowest index among equals; marks it as taken. Falls back to the
/// first index that was not taken, so that NaNs still give distinct experts.
std::int32_t take_best(float* values, std::int32_t n) noexcept {
  std::int32_t best = -1;
  for (std::int32_t i = 0; i < n; ++i)
    if (values[i] > kNever && (best < 0 || values[i] > values[best])) best = i;
  if (best >= 0) values[best] = kNever;
  return best;
}

void keep_best_groups(const RouterOptions& options, float* choice, float* group_scores) noexcept {
  const std::int32_t size = options.n_experts / options.n_groups;
  for (std::int32_t g = 0; g < options.n_groups; ++g) {
    float first = kNever, second = kNever;
    for (std::int32_t i = 0; i < size; ++i) {
      const float v = choice[g * size + i];
      if (v > first) {
        second = first;
        first = v;
      } else if (v > second) {
        second = v;
      }
    }
    const bool sum = options.group_score == RouterGroupScore::kTop2Sum && size > 1;
    group_scores[g] = sum ? first + second : first;
  }
  // What stays in group_scores after the choice are the groups that lost.
  for (std::int32_t k = 0; k < options.top_k_groups; ++k) take_best(group_scores, options.n_groups);
  for (std::int32_t g = 0; g < options.n_groups; ++g) {
    if (group_scores[g] == kNever) continue;
    for (std::int32_t i = 0; i < size; ++i) choice[g * size + i] = kNever;
  }
}

}  // namespace

void route_row(const float* logits, const float* selection_bias, const RouterOptions& options,
               std::int32_t* ids, float* weights, float* scratch) noexcept {
  const std::int32_t n = options.n_experts;
  float* const scores = scratch;
  float* const choice = scratch + n;
  float* const group_scores = scratch + 2 * n;
  score(logits, options, scores);
  for (std::int32_t e = 0; e < n; ++e)
    choice[e] = selection_bias != nullptr ? scores[e] + selection_bias[e] : scores[e];
  if (options.n_groups > 1 && options.top_k_groups < options.n_groups)
    keep_best_groups(options, choice, group_scores);

  float sum = 0.0f;
  for (std::int32_t k = 0; k < options.top_k; ++k) {
    std::int32_t best = take_best(choice, n);
    // Only NaNs are left: any expert not yet used, so that the row stays NaN instead of crashing.
    for (std::int32_t e = 0; best < 0; ++e) {
      bool used = false;
      for (std::int32_t j = 0; j < k; ++j) used = used || ids[j] == e;
      if (!used) best = e;
    }
    ids[k] = best;
    weights[k] = scores[best];
    sum += scores[best];
  }
  for (std::int32_t k = 0; k < options.top_k; ++k) {
    if (options.normalize_weights) weights[k] /= sum + 1e-20f;
    weights[k] *= options.weight_scale;
  }
}

}  // namespace moebench
