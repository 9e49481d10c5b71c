#pragma once

#include <cstdint>

#include "engine/engine.h"
#include "engine/model/model_config.h"

namespace moebench {

struct CacheSize {
  std::int64_t n_pages = 0;
  std::int64_t max_context_tokens = 0;
};

/// How large a KV cache to make. `available_bytes` is what memory is left for it. What the options
/// ask for and memory can't give throws Error(kDevice) with the figures; what they leave open is
/// cut to at most half of the available memory.
CacheSize choose_cache_size(const EngineOptions& options, const ModelConfig& config,
                            std::int64_t bytes_per_token, std::int64_t available_bytes);

}  // namespace moebench
