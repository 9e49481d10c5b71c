#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/formats/gguf.h"
#include "engine/model/model_config.h"

namespace moebench {

// From what a checkpoint says about itself to ModelConfig. Each supported family is a row of a
// table (families.cpp); README.md shows how to add one. Whatever a config asks for and the engine
// does not know throws Error(kBadModel) that names the file and the key.

/// From a Hugging Face config.json (both the older rope_theta + rope_scaling and the newer
/// rope_parameters spelling). `file` is its path, for messages.
ModelConfig config_from_hugging_face(std::string_view config_json, const std::string& file);

/// From GGUF metadata; the checkpoint settles what the metadata leaves open (tied embeddings,
/// biases).
ModelConfig config_from_gguf(const GgufMetadata& metadata, const Checkpoint& checkpoint);

/// The names of the supported families, as ModelConfig::family spells them.
std::vector<std::string> supported_families();

}  // namespace moebench
