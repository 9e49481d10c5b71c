#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/engine.h"

namespace moebench {

/// Log-probabilities of a token and of the `n` best ones under the model's own distribution (before
/// temperature and cuts): logits minus log-sum-exp, in double.
TokenLogprobs token_logprobs(std::span<const float> logits, std::int32_t token, std::size_t n);

}  // namespace moebench
