#include "engine/tokenizer_source.h"

#include <string>

namespace moebench {
namespace {

std::optional<std::int32_t> token_id(const GgufMetadata& metadata, std::string_view key) {
  const auto value = metadata.find_int(key);
  return value ? std::optional(static_cast<std::int32_t>(*value)) : std::nullopt;
}

GgufTokenizerData gguf_tokenizer(const GgufMetadata& metadata) {
  GgufTokenizerData data;
  data.name = metadata.file();
  data.model = metadata.require_string("tokenizer.ggml.model");
  data.pre = metadata.find_string("tokenizer.ggml.pre").value_or("");
  data.tokens = metadata.require_strings("tokenizer.ggml.tokens");
  if (const auto* scores = metadata.find_floats("tokenizer.ggml.scores"))
    data.scores.assign(scores->begin(), scores->end());
  if (const auto* types = metadata.find_ints("tokenizer.ggml.token_type"))
    data.token_types.assign(types->begin(), types->end());
  if (const auto* merges = metadata.find_strings("tokenizer.ggml.merges")) data.merges = *merges;
  data.bos_id = token_id(metadata, "tokenizer.ggml.bos_token_id");
  data.eos_id = token_id(metadata, "tokenizer.ggml.eos_token_id");
  data.eot_id = token_id(metadata, "tokenizer.ggml.eot_token_id");
  data.eom_id = token_id(metadata, "tokenizer.ggml.eom_token_id");
  data.unk_id = token_id(metadata, "tokenizer.ggml.unknown_token_id");
  data.pad_id = token_id(metadata, "tokenizer.ggml.padding_token_id");
  data.add_bos = metadata.find_bool("tokenizer.ggml.add_bos_token");
  data.add_eos = metadata.find_bool("tokenizer.ggml.add_eos_token");
  data.add_space_prefix = metadata.find_bool("tokenizer.ggml.add_space_prefix");
  data.chat_template = metadata.find_string("tokenizer.chat_template").value_or("");
  return data;
}

}  // namespace

std::optional<Tokenizer> tokenizer_of(const ModelSource& source) {
  if (source.gguf) {
    const std::string model = source.gguf->find_string("tokenizer.ggml.model").value_or("none");
    if (model == "none" || model == "no_vocab") return std::nullopt;  // GGUF's words for "without"
    return Tokenizer::from_gguf(gguf_tokenizer(*source.gguf));
  }
  const auto text = [&](std::string_view name) {
    const ModelFiles::File* file = source.files->find(name);
    return file != nullptr ? std::string(file->text()) : std::string();
  };
  TokenizerFiles files;
  files.tokenizer_json = text("tokenizer.json");
  if (files.tokenizer_json.empty()) return std::nullopt;
  files.tokenizer_config_json = text("tokenizer_config.json");
  files.generation_config_json = text("generation_config.json");
  files.chat_template_jinja = text("chat_template.jinja");
  files.name = source.files->path_of("tokenizer.json");
  return Tokenizer::from_files(files);
}

}  // namespace moebench
