#pragma once

#include <memory>

#include "engine/backends/backend.h"
#include "engine/model/model_config.h"
#include "engine/model/weights.h"

namespace moebench {

enum class RandomModelKind {
  kLatentMixture,   ///< DeepSeek-V3's options: MLA, a dense layer, groups, bias, shared expert
  kGroupedMixture,  ///< Qwen's: grouped attention, biases, q/k norms, gated shared expert, window
  kDense            ///< Llama's
};

/// A small model with random weights, built in memory: the same values whatever the backend.
struct RandomModel {
  std::unique_ptr<Backend> backend;
  ModelConfig config;
  Weights weights;
};

/// `type`: what matrices are stored in (kF32, or kQ8_0 to go through quantised kernels).
RandomModel make_random_model(RandomModelKind kind, std::unique_ptr<Backend> backend,
                              DType type = DType::kF32);

}  // namespace moebench
