#include "engine/tokenizer_source.h"

#include <string>

namespace moebench {
namespace {

constexpr std::string_view kModel = "tokenizer.ggml.model";
constexpr std::string_view kPre = "tokenizer.ggml.pre";
constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kScores = "tokenizer.ggml.scores";
constexpr std::string_view kTypes = "tokenizer.ggml.token_type";
constexpr std::string_view kMerges = "tokenizer.ggml.merges";
constexpr std::string_view kBos = "tokenizer.ggml.bos_token_id";
constexpr std::string_view kEos = "tokenizer.ggml.eos_token_id";
constexpr std::string_view kEot = "tokenizer.ggml.eot_token_id";
constexpr std::string_view kEom = "tokenizer.ggml.eom_token_id";
constexpr std::string_view kUnknown = "tokenizer.ggml.unknown_token_id";
constexpr std::string_view kPadding = "tokenizer.ggml.padding_token_id";
constexpr std::string_view kAddBos = "tokenizer.ggml.add_bos_token";
constexpr std::string_view kAddEos = "tokenizer.ggml.add_eos_token";
constexpr std::string_view kAddSpacePrefix = "tokenizer.ggml.add_space_prefix";
constexpr std::string_view kChatTemplate = "tokenizer.chat_template";

std::optional<std::int32_t> token_id(const GgufMetadata& metadata, std::string_view key) {
  const auto value = metadata.find_int(key);
  return value ? std::optional(static_cast<std::int32_t>(*value)) : std::nullopt;
}

GgufTokenizerData gguf_tokenizer(const GgufMetadata& metadata) {
  GgufTokenizerData data;
  data.name = metadata.file();
  data.model = metadata.require_string(kModel);
  data.pre = metadata.find_string(kPre).value_or("");
  data.tokens = metadata.require_strings(kTokens);
  if (const auto* scores = metadata.find_floats(kScores))
    data.scores.assign(scores->begin(), scores->end());
  if (const auto* types = metadata.find_ints(kTypes))
    data.token_types.assign(types->begin(), types->end());
  if (const auto* merges = metadata.find_strings(kMerges)) data.merges = *merges;
  data.bos_id = token_id(metadata, kBos);
  data.eos_id = token_id(metadata, kEos);
  data.eot_id = token_id(metadata, kEot);
  data.eom_id = token_id(metadata, kEom);
  data.unk_id = token_id(metadata, kUnknown);
  data.pad_id = token_id(metadata, kPadding);
  data.add_bos = metadata.find_bool(kAddBos);
  data.add_eos = metadata.find_bool(kAddEos);
  data.add_space_prefix = metadata.find_bool(kAddSpacePrefix);
  data.chat_template = metadata.find_string(kChatTemplate).value_or("");
  return data;
}

}  // namespace

std::optional<Tokenizer> tokenizer_of(const ModelSource& source) {
  if (source.gguf) {
    const std::string model = source.gguf->find_string(kModel).value_or("none");
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

void add_tokenizer_keys(GgufWriter& writer, const GgufTokenizerData& data) {
  writer.add_string(kModel, data.model);
  writer.add_string(kPre, data.pre);
  writer.add_strings(kTokens, data.tokens);
  if (!data.scores.empty()) writer.add_f32s(kScores, data.scores);
  writer.add_i32s(kTypes, data.token_types);
  if (!data.merges.empty()) writer.add_strings(kMerges, data.merges);
  const auto id = [&](std::string_view key, const std::optional<std::int32_t>& value) {
    if (value) writer.add_u32(key, static_cast<std::uint32_t>(*value));
  };
  id(kBos, data.bos_id);
  id(kEos, data.eos_id);
  id(kEot, data.eot_id);
  id(kEom, data.eom_id);
  id(kUnknown, data.unk_id);
  id(kPadding, data.pad_id);
  const auto flag = [&](std::string_view key, const std::optional<bool>& value) {
    if (value) writer.add_bool(key, *value);
  };
  flag(kAddBos, data.add_bos);
  flag(kAddEos, data.add_eos);
  flag(kAddSpacePrefix, data.add_space_prefix);
  if (!data.chat_template.empty()) writer.add_string(kChatTemplate, data.chat_template);
}

void add_no_tokenizer_keys(GgufWriter& writer) { writer.add_string(kModel, "none"); }

}  // namespace moebench
