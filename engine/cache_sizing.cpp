#include "engine/cache_sizing.h"

#include <algorithm>
#include <string>

#include "engine/base/error.h"
#include "engine/runtime/page_pool.h"

namespace moebench {
namespace {

constexpr std::int64_t kPageTokens = PagePool::kBlockTokens;

std::int64_t pages_for(std::int64_t tokens) noexcept {
  return (tokens + kPageTokens - 1) / kPageTokens;
}

std::string mib(std::int64_t bytes) {
  return std::to_string((bytes + (1 << 20) - 1) / (1 << 20)) + " MiB";
}

}  // namespace

CacheSize choose_cache_size(const EngineOptions& options, const ModelConfig& config,
                            std::int64_t bytes_per_token, std::int64_t available_bytes) {
  const std::int64_t page_bytes = bytes_per_token * kPageTokens;
  const bool context_asked = options.max_context_tokens > 0;
  if (context_asked && options.max_context_tokens > config.max_positions)
    throw Error(ErrorCode::kUsage,
                "a context of " + std::to_string(options.max_context_tokens) +
                    " tokens is more than the " + std::to_string(config.max_positions) +
                    " that the model was made for",
                "ask for less, or leave it to the model");
  const std::int64_t context = context_asked ? options.max_context_tokens : config.max_positions;
  const std::int64_t least_pages = context_asked ? pages_for(context) : 1;

  CacheSize size;
  if (options.kv_cache_bytes > 0) {
    if (options.kv_cache_bytes > available_bytes)
      throw Error(ErrorCode::kDevice,
                  "a KV cache of " + mib(options.kv_cache_bytes) + " does not fit: " +
                      mib(available_bytes) + " are left beside the weights and the workspace",
                  "ask for a smaller cache");
    size.n_pages = options.kv_cache_bytes / page_bytes;
  } else {
    size.n_pages = std::min(options.max_batch_sequences * pages_for(context),
                            available_bytes / 2 / page_bytes);
    // One long sequence may take all that is left.
    if (size.n_pages < least_pages)
      size.n_pages = std::min(least_pages, available_bytes / page_bytes);
  }
  if (size.n_pages < least_pages)
    throw Error(ErrorCode::kDevice,
                "the KV cache holds " + std::to_string(size.n_pages * kPageTokens) +
                    " tokens, fewer than the " + std::to_string(least_pages * kPageTokens) +
                    " of one sequence (" + std::to_string(bytes_per_token) + " bytes a token; " +
                    mib(available_bytes) + " available)",
                "ask for a shorter context, f16 cache, or give the cache more memory");
  size.max_context_tokens = std::min(context, size.n_pages * kPageTokens);
  return size;
}

}  // namespace moebench
