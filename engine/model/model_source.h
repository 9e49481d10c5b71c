#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/formats/gguf.h"
#include "engine/model/model_config.h"

namespace moebench {

/// A model on disk (or embedded), opened and understood but not loaded.
struct ModelSource {
  std::shared_ptr<const ModelFiles> files;
  Checkpoint checkpoint;
  ModelConfig config;
  std::optional<GgufMetadata> gguf;  ///< absent for Hugging Face directories
};

/// Throws Error(kBadModel) for what is broken or unknown.
ModelSource open_model(std::shared_ptr<const ModelFiles> files);

/// SHA-256 (hex) over the files' names, sizes and contents in name order. Reads everything once.
std::string model_sha256(const ModelFiles& files);

}  // namespace moebench
