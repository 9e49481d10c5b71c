#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/model_config.h"
#include "engine/tensor/tensor.h"

namespace moebench {

/// What a tensor is for, whatever its checkpoint calls it. Shapes: expected_shape.
enum class TensorRole : std::uint8_t {
  kEmbedding,
  kOutputNorm,
  kLmHead,
  kAttentionNorm,
  kQ,
  kK,
  kV,
  kQBias,
  kKBias,
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
  kKvB,  ///< key and value projections of MLA's latent, per head: nope rows, then value rows
  kKB,   ///< GGUF: the key half of kKvB, transposed per head
  kVB,   ///< GGUF: the value half
  kO,
  kOBias,
  kMlpNorm,
  kDenseGate,
  kDenseUp,
  kDenseDown,
  kRouter,
  kSelectionBias,
  kExpertGate,  ///< of one expert; `kExperts...` are the same for all experts in one tensor
  kExpertUp,
  kExpertDown,
  kExpertsGate,
  kExpertsUp,
  kExpertsDown,
  kExpertsGateUp,  ///< gate rows, then up rows
  kSharedGate,
  kSharedUp,
  kSharedDown,
  kSharedSwitch,  ///< Qwen2-MoE's gate on the shared expert's output
};

enum class TensorNaming : std::uint8_t { kHuggingFace, kGguf };

/// The names under which a role's tensor may be stored, the usual one first.
std::vector<std::string> tensor_names(TensorRole role, TensorNaming naming, std::int64_t layer,
                                      std::int64_t expert = -1);

/// Whether a tensor of this name, or the FP8 scales of one, belongs to the routed experts of a
/// layer, under any naming.
bool is_routed_expert(std::string_view name);

/// The shape of a role's tensor in this model; nothing where the model has no such tensor (a layer
/// without experts, an attention without biases). `layer` is nullptr for roles outside the layers.
std::optional<Shape> expected_shape(TensorRole role, const ModelConfig& config,
                                    const LayerConfig* layer);

/// "(7168, 2048)"
std::string to_string(const Shape& shape);

}  // namespace moebench
