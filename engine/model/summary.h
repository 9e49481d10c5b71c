#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/model/model_source.h"

namespace moebench {

/// The tensors of one kind, as the checkpoint stores them.
struct TensorKindSummary {
  std::string kind;  ///< "embedding", "attention", "routed experts", ...
  std::int64_t tensors = 0;
  std::int64_t parameters = 0;
  std::int64_t active_parameters = 0;  ///< multiplied for each token
  std::map<DType, std::int64_t> bytes_of_type;

  std::int64_t bytes() const noexcept;
};

struct WeightSummary {
  std::vector<TensorKindSummary> kinds;  ///< those that the model has, in the order of the pass
  std::vector<std::string> notes;

  std::int64_t parameters() const noexcept;
  std::int64_t active_parameters() const noexcept;
  std::int64_t bytes() const noexcept;
};

/// Checks that the checkpoint holds exactly the model's tensors, in their shapes, as load_weights
/// does, but reads none of them. Throws Error(kBadModel) likewise.
WeightSummary summarize_weights(const ModelSource& source);

}  // namespace moebench
