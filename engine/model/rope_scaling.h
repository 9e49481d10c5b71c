#pragma once

#include <cstdint>
#include <vector>

#include "engine/model/model_config.h"

namespace moebench {

/// YaRN's 0.1 * mscale * ln(factor) + 1; 1 for factors up to 1.
double yarn_magnitude(double factor, double mscale) noexcept;

/// The factor on cos and sin that YaRN asks for: attention_factor, or what the mscales give.
double yarn_attention_factor(const RopeScaling& scaling) noexcept;

/// Fills inverse_frequency (dim / 2) and magnitude once, at load, and keeps what they came from.
/// Preconditions: dim even and positive, theta > 0.
void apply_rope_scaling(RopeConfig& rope, double theta, const RopeScaling& scaling);

/// What Llama 3's scaling divides each frequency by, (dim / 2): how GGUF holds it.
std::vector<float> llama3_divisors(const RopeConfig& rope);

}  // namespace moebench
