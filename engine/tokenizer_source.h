#pragma once

#include <optional>

#include "engine/model/model_source.h"
#include "engine/text/tokenizer.h"

namespace moebench {

/// The tokenizer that comes with a model, whichever format it has; nothing when there is none.
/// Throws Error(kBadModel) for one that is broken or unknown.
std::optional<Tokenizer> tokenizer_of(const ModelSource& source);

}  // namespace moebench
