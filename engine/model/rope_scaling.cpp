#include "engine/model/rope_scaling.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace moebench {
namespace {

/// Llama 3.1's rule: long waves are divided by the factor, short ones kept, those between blended.
double llama3_frequency(double frequency, const RopeScaling& scaling) noexcept {
  const double wavelength = 2.0 * std::numbers::pi / frequency;
  const double ratio = scaling.original_positions / wavelength;
  if (ratio > scaling.high_frequency_factor) return frequency;
  if (ratio < scaling.low_frequency_factor) return frequency / scaling.factor;
  const double blend = (ratio - scaling.low_frequency_factor) /
                       (scaling.high_frequency_factor - scaling.low_frequency_factor);
  return (1.0 - blend) * frequency / scaling.factor + blend * frequency;
}

/// The (fractional) dimension whose wave turns `rotations` times within the original context.
double yarn_dimension(double rotations, double dim, double theta, double positions) noexcept {
  return dim * std::log(positions / (rotations * 2.0 * std::numbers::pi)) / (2.0 * std::log(theta));
}

}  // namespace

double yarn_magnitude(double factor, double mscale) noexcept {
  return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

double yarn_attention_factor(const RopeScaling& scaling) noexcept {
  if (scaling.attention_factor != 0.0) return scaling.attention_factor;
  if (scaling.mscale == 0.0 || scaling.mscale_all_dim == 0.0) {
    return yarn_magnitude(scaling.factor, 1.0);
  }
  return yarn_magnitude(scaling.factor, scaling.mscale) /
         yarn_magnitude(scaling.factor, scaling.mscale_all_dim);
}

void apply_rope_scaling(RopeConfig& rope, double theta, const RopeScaling& scaling) {
  rope.theta = theta;
  rope.scaling = scaling;
  const auto dim = static_cast<double>(rope.dim);
  double ramp_begin = 0.0, ramp_end = 0.0;
  rope.magnitude = 1.0f;
  if (scaling.kind == RopeScalingKind::kYarn) {
    ramp_begin = yarn_dimension(scaling.beta_fast, dim, theta, scaling.original_positions);
    ramp_end = yarn_dimension(scaling.beta_slow, dim, theta, scaling.original_positions);
    if (scaling.truncate) {
      ramp_begin = std::floor(ramp_begin);
      ramp_end = std::ceil(ramp_end);
    }
    ramp_begin = std::max(ramp_begin, 0.0);
    ramp_end = std::min(ramp_end, dim - 1.0);
    if (ramp_begin == ramp_end) ramp_end += 0.001;
    rope.magnitude = static_cast<float>(yarn_attention_factor(scaling));
  }
  rope.inverse_frequency.resize(static_cast<std::size_t>(rope.dim / 2));
  for (std::size_t i = 0; i < rope.inverse_frequency.size(); ++i) {
    double frequency = std::pow(theta, -2.0 * static_cast<double>(i) / dim);
    switch (scaling.kind) {
      case RopeScalingKind::kNone:
        break;
      case RopeScalingKind::kLinear:
        frequency /= scaling.factor;
        break;
      case RopeScalingKind::kLlama3:
        frequency = llama3_frequency(frequency, scaling);
        break;
      case RopeScalingKind::kYarn: {
        const double ramp =
            std::clamp((static_cast<double>(i) - ramp_begin) / (ramp_end - ramp_begin), 0.0, 1.0);
        frequency = frequency / scaling.factor * ramp + frequency * (1.0 - ramp);
        break;
      }
    }
    rope.inverse_frequency[i] = static_cast<float>(frequency);
  }
}

std::vector<float> llama3_divisors(const RopeConfig& rope) {
  std::vector<float> divisors;
  for (std::int64_t i = 0; i < rope.dim / 2; ++i) {
    const double frequency =
        std::pow(rope.theta, -2.0 * static_cast<double>(i) / static_cast<double>(rope.dim));
    divisors.push_back(static_cast<float>(frequency / llama3_frequency(frequency, rope.scaling)));
  }
  return divisors;
}

}  // namespace moebench
