#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/model/model_config.h"
#include "engine/model/weights.h"

namespace moebench {

/// What a step of a given make-up reads and computes, by MoE-CAP's definitions (arXiv 2412.07067):
/// weights of the experts that were activated, each once a step; FLOPs of the multiplications that
/// the rows need, attention over their contexts included.
class StepCosts {
 public:
  StepCosts(const ModelConfig& config, const Weights& weights);

  /// `activated`: distinct experts touched in each MoE layer, in order.
  std::int64_t weight_bytes(std::int64_t rows, bool logits,
                            std::span<const std::int64_t> activated) const;
  /// `context_tokens`: the rows' contexts, each row itself included, summed over the rows.
  double flops(std::int64_t rows, std::int64_t logit_rows, std::int64_t context_tokens) const;

 private:
  std::int64_t always_bytes_ = 0, head_bytes_ = 0, embedding_row_bytes_ = 0;
  std::vector<std::int64_t> expert_bytes_;  // of each MoE layer
  double row_flops_ = 0, logit_flops_ = 0, context_flops_ = 0;
};

}  // namespace moebench
