// Deliberately broken routing, linked in front of engine/backends/routing.cpp: what the gate must
// catch. MOEBENCH_MUTANT_BIAS adds the selection bias to the combine weights (DeepSeek-V3 keeps it
// out of them); MOEBENCH_MUTANT_LAST_EXPERT gives each token's last expert no weight.

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/backends/routing.h"

namespace moebench {

void route_row(const float* logits, const float* selection_bias, const RouterOptions& options,
               std::int32_t* ids, float* weights, float* /*scratch*/) noexcept {
  const auto n = static_cast<std::size_t>(options.n_experts);
  const auto groups = static_cast<std::size_t>(options.n_groups);
  std::vector<float> scores(n), choice(n);
  float highest = logits[0];
  for (std::size_t e = 0; e < n; ++e) highest = std::max(highest, logits[e]);
  float sum_of_exponentials = 0;
  for (std::size_t e = 0; e < n; ++e) sum_of_exponentials += std::exp(logits[e] - highest);
  for (std::size_t e = 0; e < n; ++e) {
    scores[e] = options.scoring == RouterScoring::kSigmoid
                    ? 1.0f / (1.0f + std::exp(-logits[e]))
                    : std::exp(logits[e] - highest) / sum_of_exponentials;
    choice[e] = scores[e] + (selection_bias != nullptr ? selection_bias[e] : 0.0f);
  }
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  if (groups > 1 && options.top_k_groups < options.n_groups) {
    const std::size_t size = n / groups;
    std::vector<std::pair<float, std::size_t>> worth;
    for (std::size_t g = 0; g < groups; ++g) {
      std::vector<float> inside(choice.begin() + static_cast<std::ptrdiff_t>(g * size),
                                choice.begin() + static_cast<std::ptrdiff_t>((g + 1) * size));
      std::sort(inside.rbegin(), inside.rend());
      const bool two = options.group_score == RouterGroupScore::kTop2Sum && size > 1;
      worth.emplace_back(-(two ? inside[0] + inside[1] : inside[0]), g);
    }
    std::sort(worth.begin(), worth.end());
    for (std::size_t k = static_cast<std::size_t>(options.top_k_groups); k < groups; ++k)
      for (std::size_t i = 0; i < size; ++i) choice[worth[k].second * size + i] = kNever;
  }
  float sum = 0;
  for (std::int32_t k = 0; k < options.top_k; ++k) {
    const auto best =
        static_cast<std::size_t>(std::max_element(choice.begin(), choice.end()) - choice.begin());
    choice[best] = kNever;
    ids[k] = static_cast<std::int32_t>(best);
    weights[k] = scores[best];
#ifdef MOEBENCH_MUTANT_BIAS
    if (selection_bias != nullptr) weights[k] += selection_bias[best];
#endif
    sum += weights[k];
  }
  for (std::int32_t k = 0; k < options.top_k; ++k) {
    if (options.normalize_weights) weights[k] /= sum + 1e-20f;
    weights[k] *= options.weight_scale;
  }
#ifdef MOEBENCH_MUTANT_LAST_EXPERT
  weights[options.top_k - 1] = 0;
#endif
}

}  // namespace moebench
