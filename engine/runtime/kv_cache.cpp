#include "engine/runtime/kv_cache.h"

namespace moebench {
namespace {

struct Widths {
  std::int64_t heads, key, value;
  bool separate_values;
};

Widths widths_of(const AttentionConfig& attention) noexcept {
  if (attention.kind == AttentionKind::kLatent)
    return {1, attention.kv_lora_rank + attention.qk_rope_dim, attention.kv_lora_rank, false};
  return {attention.n_kv_heads, attention.head_dim, attention.head_dim, true};
}

}  // namespace

KvCache::KvCache(const ModelConfig& config, Backend& backend, DType type, std::int64_t n_pages) {
  const auto allocate = [&](const Shape& shape) {
    buffers_.push_back(
        backend.allocate(static_cast<std::size_t>(shape.elements()) * traits(type).block_bytes));
    return Tensor::contiguous(buffers_.back()->data(), type, shape);
  };
  for (const LayerConfig& layer : config.layers) {
    const Widths w = widths_of(layer.attention);
    KvLayer cache;
    cache.keys = allocate({n_pages, KvLayer::kBlockTokens, w.heads, w.key});
    if (w.separate_values)
      cache.values = allocate({n_pages, KvLayer::kBlockTokens, w.heads, w.value});
    cache.value_width = w.value;
    layers_.push_back(cache);
  }
}

}  // namespace moebench
