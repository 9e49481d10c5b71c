#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/engine.h"
#include "engine/runtime/output.h"

namespace moebench {

/// A request inside the engine: its tokens, how far they are computed, and the cache pages that
/// hold them. Owned by the Scheduler; used on the step loop's thread alone.
struct Sequence {
  std::uint64_t serial = 0;  ///< order of arrival
  std::uint64_t request_id = 0;
  SamplingSettings sampling;
  int top_logprobs = 0;
  bool wants_prompt_logprobs = false;
  std::vector<TokenLogprobs> prompt_logprobs;  ///< of tokens 1, 2, ... of the prompt, so far

  std::vector<std::int32_t> tokens;  ///< the prompt, then what was generated (or forced)
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_tokens = -1;  ///< of the prompt, found when first admitted; -1: not yet
  std::unique_ptr<Output> output;   ///< text, thinking, stopping

  // The scheduler's part.
  std::int64_t computed_tokens = 0;  ///< tokens whose keys and values are in the cache
  std::vector<std::int32_t> pages;   ///< page of each block of tokens
  std::int64_t ready_blocks = 0;     ///< blocks that others may share already
  std::int64_t step_rows = 0;        ///< tokens computed in the planned step

  std::int64_t n_tokens() const noexcept { return static_cast<std::int64_t>(tokens.size()); }
  std::int64_t pending_tokens() const noexcept { return n_tokens() - computed_tokens; }
};

}  // namespace moebench
