#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/backends/backend.h"
#include "engine/model/model_config.h"

namespace moebench {

/// The memory of the paged cache: for each layer a tensor of keys and one of values (none for MLA,
/// whose value is a part of its key), in pages of KvLayer::kBlockTokens that all layers number
/// alike. Who owns which page is the PagePool's business.
class KvCache {
 public:
  /// type: kF32 or kF16. Throws Error(kDevice) when the backend lacks the memory.
  KvCache(const ModelConfig& config, Backend& backend, DType type, std::int64_t n_pages);

  std::span<const KvLayer> layers() const noexcept { return layers_; }

 private:
  std::vector<KvLayer> layers_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
};

}  // namespace moebench
