#pragma once

#include <cstdint>
#include <vector>

#include "engine/backends/backend.h"

namespace moebench {

struct SampleCandidate {
  float weight;  ///< exp((logit - highest) / temperature)
  std::int32_t id;
};

/// Draws one token from logits (vocab): the exact rule that every host backend shares.
///
/// temperature 0: the highest logit, the lowest id among equals. Else the candidates, ordered by
/// logit (equal ones by id), are cut to the `top_k` first, then to the shortest run of them that
/// holds `top_p` of what is left; `uniform` times their sum picks one along that order (along the
/// ids when nothing was cut, which is the same distribution without a sort). Weights are F32, sums
/// run in double. -1 when no logit is a number. `scratch` is reused between calls.
std::int32_t sample_row(const float* logits, std::int64_t vocab, const SampleRow& row,
                        std::vector<SampleCandidate>& scratch);

/// The highest logit's id, the lowest among equals; -1 when no logit is a number.
std::int32_t argmax_row(const float* logits, std::int64_t vocab) noexcept;

}  // namespace moebench
