#pragma once

#include <memory>

#include "engine/formats/model_files.h"

namespace moebench {

/// The canary: the small model that is a part of the program, as the files of a Hugging Face
/// directory.
std::shared_ptr<const ModelFiles> embedded_canary();

}  // namespace moebench
