#include "engine/runtime/step_costs.h"

namespace moebench {

StepCosts::StepCosts(const ModelConfig& config, const Weights& weights)
    : always_bytes_(weights.bytes.always_read() - weights.bytes.lm_head),
      head_bytes_(weights.bytes.lm_head),
      embedding_row_bytes_(weights.bytes.embedding / config.vocab) {
  const double head_parameters =
      static_cast<double>(config.vocab) * static_cast<double>(config.hidden);
  logit_flops_ = 2.0 * head_parameters;
  row_flops_ = 2.0 * (static_cast<double>(weights.active_parameters) - head_parameters);
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    const AttentionConfig& a = config.layers[i].attention;
    const bool latent = a.kind == AttentionKind::kLatent;
    const std::int64_t key = latent ? a.kv_lora_rank + a.qk_rope_dim : a.head_dim;
    const std::int64_t value = latent ? a.kv_lora_rank : a.head_dim;
    context_flops_ += 2.0 * static_cast<double>(a.n_heads * (key + value));
    if (config.layers[i].moe) expert_bytes_.push_back(weights.layers[i].moe->expert_bytes);
  }
}

std::int64_t StepCosts::weight_bytes(std::int64_t rows, bool logits,
                                     std::span<const std::int64_t> activated) const {
  std::int64_t bytes = always_bytes_ + (logits ? head_bytes_ : 0) + rows * embedding_row_bytes_;
  for (std::size_t i = 0; i < expert_bytes_.size(); ++i) bytes += activated[i] * expert_bytes_[i];
  return bytes;
}

double StepCosts::flops(std::int64_t rows, std::int64_t logit_rows,
                        std::int64_t context_tokens) const {
  return row_flops_ * static_cast<double>(rows) + logit_flops_ * static_cast<double>(logit_rows) +
         context_flops_ * static_cast<double>(context_tokens);
}

}  // namespace moebench
