#pragma once

#include <optional>

#include "engine/formats/gguf_writer.h"
#include "engine/model/model_source.h"
#include "engine/text/tokenizer.h"

namespace moebench {

/// The tokenizer that comes with a model, whichever format it has; nothing when there is none.
/// Throws Error(kBadModel) for one that is broken or unknown.
std::optional<Tokenizer> tokenizer_of(const ModelSource& source);

/// Adds the tokenizer.* keys that tokenizer_of reads from a GGUF file.
void add_tokenizer_keys(GgufWriter& writer, const GgufTokenizerData& tokenizer);
/// The same for a model that has no tokenizer.
void add_no_tokenizer_keys(GgufWriter& writer);

}  // namespace moebench
