#pragma once

#include <cstdint>

#include "engine/backends/backend.h"

namespace moebench {

/// Chooses one row's experts: the exact rule that every host backend shares, so that a tie or a
/// rounding never falls differently in two of them.
///
/// logits (n_experts), selection_bias (n_experts) or null; ids and weights (top_k), best first.
/// `scratch` holds 2 * n_experts + n_groups floats. Sources: DeepSeek-V2 (arXiv 2405.04434, section
/// 2.1.3: softmax scores, groups worth their best expert), DeepSeek-V3 (arXiv 2412.19437, section
/// 2.1.2: sigmoid scores, bias for selection alone, groups worth the sum of their two best).
/// Selection compares score + bias; equal values go to the lower index. A NaN loses to any number.
void route_row(const float* logits, const float* selection_bias, const RouterOptions& options,
               std::int32_t* ids, float* weights, float* scratch) noexcept;

/// Floats that route_row needs as scratch.
inline std::int64_t route_scratch_floats(const RouterOptions& options) noexcept {
  return 2 * static_cast<std::int64_t>(options.n_experts) + options.n_groups;
}

}  // namespace moebench
