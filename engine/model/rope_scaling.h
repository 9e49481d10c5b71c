#pragma once

#include <cstdint>
#include <vector>

#include "engine/model/model_config.h"

namespace moebench {

// The ways in which a model's rotary embedding is stretched beyond the context it was trained on.
// All compute RopeConfig.inverse_frequency and magnitude once, at load.

enum class RopeScalingKind : std::uint8_t { kNone, kLinear, kLlama3, kYarn };

struct RopeScaling {
  RopeScalingKind kind = RopeScalingKind::kNone;
  double factor = 1.0;
  double original_positions = 0.0;  ///< kLlama3, kYarn: the context before stretching
  // kLlama3
  double low_frequency_factor = 1.0;
  double high_frequency_factor = 4.0;
  // kYarn; arXiv 2309.00071, with DeepSeek's mscale options (0: not given)
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  double mscale = 0.0;
  double mscale_all_dim = 0.0;
  double attention_factor = 0.0;  ///< 0: derived from factor and the mscales
  bool truncate = true;           ///< whole dimensions as the ramp's ends
};

/// YaRN's 0.1 * mscale * ln(factor) + 1; 1 for factors up to 1.
double yarn_magnitude(double factor, double mscale) noexcept;

/// Fills inverse_frequency (dim / 2) and magnitude. Preconditions: dim even and positive, theta >
/// 0.
void apply_rope_scaling(RopeConfig& rope, double theta, const RopeScaling& scaling);

}  // namespace moebench
