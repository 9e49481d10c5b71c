// Loads Hugging Face's tokenizer.json and the files beside it.

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <unordered_map>

#include "engine/base/error.h"
#include "engine/text/pre_tokenizers.h"
#include "engine/text/tokenizer.h"
#include "engine/text/tokenizer_parts.h"

namespace moebench {

namespace {

using nlohmann::json;
using text::Alphabet;
using text::NormalizeStep;
using text::PreTokenizeStep;
using text::SplitBehavior;
using text::TokenizerParts;

constexpr std::size_t kMaxFileBytes = std::size_t{256} << 20;
constexpr int kMaxNesting = 16;  // of sequences of components

std::string shown(const json& value) {
  std::string out = value.dump(-1, ' ', false, json::error_handler_t::replace);
  return out.size() > 200 ? out.substr(0, 200) + "..." : out;
}

class JsonLoader {
 public:
  explicit JsonLoader(const TokenizerFiles& files) : files_(files) { parts_->name = files.name; }

  std::shared_ptr<const TokenizerParts> load() {
    const json file = parse(files_.tokenizer_json, files_.name);
    if (!file.is_object()) fail("is no JSON object");
    read_model(member(file, "model"));
    read_added_tokens(file);
    read_normalizer(file.value("normalizer", json()), 0);
    read_pre_tokenizer(file.value("pre_tokenizer", json()), 0);
    parts_->alphabet = byte_level_ ? Alphabet::kBytes : Alphabet::kCodePoints;
    build_vocabulary();
    read_decoder(file.value("decoder", json()));
    read_post_processor(file.value("post_processor", json()), 0);
    read_config();
    parts_->finish();
    return parts_;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::kBadModel, files_.name + ": " + what);
  }
  [[noreturn]] void unsupported(const std::string& component, const json& value) const {
    throw Error(ErrorCode::kBadModel,
                files_.name + ": " + component + " is not supported: " + shown(value));
  }

  json parse(const std::string& source, const std::string& name) const {
    if (source.size() > kMaxFileBytes)
      throw Error(ErrorCode::kBadModel, name + ": larger than 256 MiB");
    try {
      return json::parse(source);
    } catch (const json::exception& e) {
      throw Error(ErrorCode::kBadModel, name + ": no valid JSON: " + e.what());
    }
  }

  const json& member(const json& object, const char* key) const {
    const auto it = object.is_object() ? object.find(key) : object.end();
    if (!object.is_object() || it == object.end()) fail(std::string("'") + key + "' is missing");
    return *it;
  }
  std::string string_member(const json& object, const char* key) const {
    const json& value = member(object, key);
    if (!value.is_string()) fail(std::string("'") + key + "' is no string: " + shown(value));
    return value.get<std::string>();
  }
  bool bool_member(const json& object, const char* key, bool absent) const {
    const auto it = object.find(key);
    if (it == object.end() || it->is_null()) return absent;
    if (!it->is_boolean()) fail(std::string("'") + key + "' is no boolean: " + shown(*it));
    return it->get<bool>();
  }
  std::int32_t id_of(const json& value, const char* what) const {
    if (!value.is_number_integer() || value.get<std::int64_t>() < 0 ||
        value.get<std::int64_t>() >= text::TokenTable::kMaxTokens)
      fail(std::string(what) + " is no token id: " + shown(value));
    return value.get<std::int32_t>();
  }
  std::string component_type(const json& component, const char* what) const {
    if (!component.is_object()) fail(std::string(what) + " is no object: " + shown(component));
    return string_member(component, "type");
  }

  // --- the model ---------------------------------------------------------------------------------

  void read_model(const json& model) {
    // Old files leave the type out; what has merges is BPE.
    const std::string type =
        model.is_object() && model.contains("type") ? string_member(model, "type") : "BPE";
    if (type != "BPE") unsupported("model type '" + type + "'", json(type));
    const json& vocabulary = member(model, "vocab");
    if (!vocabulary.is_object()) fail("'model.vocab' is no object");
    for (const auto& [token, id] : vocabulary.items())
      vocabulary_.emplace(token, id_of(id, "a value of model.vocab"));
    if (vocabulary_.empty()) fail("'model.vocab' is empty");
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      const auto it = model.find(key);
      if (it != model.end() && !it->is_null() && *it != "")
        unsupported(std::string("model.") + key, *it);
    }
    const auto dropout = model.find("dropout");
    if (dropout != model.end() && !dropout->is_null() && *dropout != 0.0)
      unsupported("model.dropout", *dropout);
    parts_->byte_fallback = bool_member(model, "byte_fallback", false);
    parts_->fuse_unknown = bool_member(model, "fuse_unk", false);
    parts_->ignore_merges = bool_member(model, "ignore_merges", false);
    const auto unknown = model.find("unk_token");
    if (unknown != model.end() && !unknown->is_null()) {
      const std::string token = string_member(model, "unk_token");
      const auto it = vocabulary_.find(token);
      if (it == vocabulary_.end()) fail("the unk_token '" + token + "' is not in model.vocab");
      parts_->unknown_id = it->second;
    }
    read_merges(member(model, "merges"));
  }

  void read_merges(const json& merges) {
    if (!merges.is_array()) fail("'model.merges' is no array");
    if (merges.empty() && vocabulary_.size() > 256 + 64)
      fail("'model.merges' is empty, but the vocabulary has " + std::to_string(vocabulary_.size()) +
           " tokens");
    std::vector<text::Bpe::Merge> list;
    list.reserve(merges.size());
    std::string joined;
    for (const json& merge : merges) {
      std::string_view left, right;
      if (merge.is_string()) {
        const std::string_view pair = merge.get_ref<const std::string&>();
        const std::size_t space = pair.find(' ');
        if (space == std::string_view::npos || pair.find(' ', space + 1) != std::string_view::npos)
          fail("merge '" + std::string(pair) + "' is no pair");
        left = pair.substr(0, space);
        right = pair.substr(space + 1);
      } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
                 merge[1].is_string()) {
        left = merge[0].get_ref<const std::string&>();
        right = merge[1].get_ref<const std::string&>();
      } else {
        fail("a merge is no pair: " + shown(merge));
      }
      joined.assign(left).append(right);
      list.push_back({merge_id(left), merge_id(right), merge_id(joined),
                      static_cast<std::uint32_t>(list.size())});
    }
    parts_->bpe.set_merges(list);
  }

  std::int32_t merge_id(std::string_view token) {
    key_.assign(token);
    const auto it = vocabulary_.find(key_);
    if (it == vocabulary_.end()) fail("the merges use '" + key_ + "', which is not in model.vocab");
    return it->second;
  }

  void read_added_tokens(const json& file) {
    const auto it = file.find("added_tokens");
    if (it == file.end() || it->is_null()) return;
    if (!it->is_array()) fail("'added_tokens' is no array");
    for (const json& entry : *it) {
      text::AddedToken token;
      token.id = id_of(member(entry, "id"), "added_tokens[].id");
      token.content = string_member(entry, "content");
      token.single_word = bool_member(entry, "single_word", false);
      token.lstrip = bool_member(entry, "lstrip", false);
      token.rstrip = bool_member(entry, "rstrip", false);
      token.special = bool_member(entry, "special", false);
      token.normalized = bool_member(entry, "normalized", !token.special);
      parts_->added.push_back(std::move(token));
    }
  }

  void build_vocabulary() {
    for (const auto& [token, id] : vocabulary_) {
      parts_->tokens.set(id, token);
      set_symbol(id, token);
    }
    for (const text::AddedToken& token : parts_->added) {
      const bool known = parts_->tokens.contains(token.id);
      if (known && parts_->tokens.text(token.id) != token.content)
        fail("added token '" + token.content + "' has the id of '" +
             std::string(parts_->tokens.text(token.id)) + "'");
      if (!known) parts_->tokens.set(token.id, token.content);
    }
    if (parts_->byte_fallback)
      for (const auto& [token, id] : vocabulary_)
        if (const auto byte = text::byte_token_value(token)) parts_->byte_ids[*byte] = id;
  }

  void set_symbol(std::int32_t id, const std::string& token) {
    if (!byte_level_) {
      parts_->symbols.set(id, token);
      return;
    }
    const auto bytes = text::alphabet_to_bytes(token);
    if (!bytes) return;  // cannot be produced: the text is bytes by then
    parts_->symbols.set(id, *bytes);
    if (bytes->size() == 1) parts_->byte_ids[static_cast<unsigned char>(bytes->front())] = id;
  }

  // --- normalizer and pre-tokenizer
  // ----------------------------------------------------------------

  std::optional<text::Pattern> read_pattern(const json& component) const {
    const json& pattern = member(component, "pattern");
    if (pattern.is_object() && pattern.contains("String"))
      return text::Pattern::literal(string_member(pattern, "String"));
    if (pattern.is_object() && pattern.contains("Regex"))
      return text::Pattern(string_member(pattern, "Regex"));
    unsupported("pattern", pattern);
  }

  void read_normalizer(const json& component, int depth) {
    if (component.is_null()) return;
    if (depth > kMaxNesting) fail("normalizer: nested too deeply");
    const std::string type = component_type(component, "normalizer");
    NormalizeStep step;
    if (type == "Sequence") {
      for (const json& inner : array_member(component, "normalizers"))
        read_normalizer(inner, depth + 1);
      return;
    }
    if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD") {
      step.kind = NormalizeStep::Kind::kForm;
      step.form = type == "NFC"    ? text::NormalizationForm::kNfc
                  : type == "NFD"  ? text::NormalizationForm::kNfd
                  : type == "NFKC" ? text::NormalizationForm::kNfkc
                                   : text::NormalizationForm::kNfkd;
    } else if (type == "Prepend") {
      step.kind = NormalizeStep::Kind::kPrepend;
      step.text = string_member(component, "prepend");
    } else if (type == "Replace") {
      step.kind = NormalizeStep::Kind::kReplace;
      step.pattern = read_pattern(component);
      step.text = string_member(component, "content");
    } else {
      unsupported("normalizer '" + type + "'", component);
    }
    parts_->normalizer.push_back(std::move(step));
  }

  const json& array_member(const json& object, const char* key) const {
    const json& value = member(object, key);
    if (!value.is_array()) fail(std::string("'") + key + "' is no array");
    return value;
  }

  SplitBehavior read_behavior(const json& component) const {
    const std::string name = string_member(component, "behavior");
    if (name == "Isolated") return SplitBehavior::kIsolated;
    if (name == "Removed") return SplitBehavior::kRemoved;
    if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
    if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
    if (name == "Contiguous") return SplitBehavior::kContiguous;
    unsupported("split behavior '" + name + "'", component);
  }

  void read_pre_tokenizer(const json& component, int depth) {
    if (component.is_null()) return;
    if (depth > kMaxNesting) fail("pre_tokenizer: nested too deeply");
    const std::string type = component_type(component, "pre_tokenizer");
    if (byte_level_) fail("pre_tokenizer '" + type + "' after ByteLevel is not supported");
    auto& steps = parts_->pre_tokenizer;
    if (type == "Sequence") {
      for (const json& inner : array_member(component, "pretokenizers"))
        read_pre_tokenizer(inner, depth + 1);
    } else if (type == "Split") {
      PreTokenizeStep step;
      step.pattern = read_pattern(component);
      step.behavior = read_behavior(component);
      step.invert = bool_member(component, "invert", false);
      steps.push_back(std::move(step));
    } else if (type == "Digits") {
      steps.push_back(text::split_step("\\p{N}", bool_member(component, "individual_digits", false)
                                                     ? SplitBehavior::kIsolated
                                                     : SplitBehavior::kContiguous));
    } else if (type == "Punctuation") {
      steps.push_back(text::split_step("[\\p{P}!-/:-@\\[-`{-~]", component.contains("behavior")
                                                                     ? read_behavior(component)
                                                                     : SplitBehavior::kIsolated));
    } else if (type == "WhitespaceSplit") {
      steps.push_back(text::split_step("\\s", SplitBehavior::kRemoved));
    } else if (type == "Whitespace") {
      steps.push_back(text::split_step("\\w+|[^\\w\\s]+", SplitBehavior::kRemoved));
      steps.back().invert = true;
    } else if (type == "ByteLevel") {
      if (bool_member(component, "add_prefix_space", true)) {
        PreTokenizeStep step;
        step.kind = PreTokenizeStep::Kind::kPrefixSpace;
        steps.push_back(std::move(step));
      }
      if (bool_member(component, "use_regex", true))
        steps.push_back(text::split_step(text::kGpt2Regex));
      byte_level_ = true;
    } else if (type == "Metaspace") {
      read_metaspace(component);
    } else {
      unsupported("pre_tokenizer '" + type + "'", component);
    }
  }

  void read_metaspace(const json& component) {
    PreTokenizeStep step;
    step.kind = PreTokenizeStep::Kind::kMetaspace;
    step.replacement = string_member(component, "replacement");
    if (step.replacement.empty()) fail("Metaspace without a replacement");
    if (component.contains("prepend_scheme")) {
      const std::string scheme = string_member(component, "prepend_scheme");
      if (scheme == "always") {
        step.prepend = PreTokenizeStep::Prepend::kAlways;
      } else if (scheme == "first") {
        step.prepend = PreTokenizeStep::Prepend::kFirst;
      } else if (scheme != "never") {
        unsupported("Metaspace prepend_scheme '" + scheme + "'", component);
      }
    } else if (bool_member(component, "add_prefix_space", true)) {
      step.prepend = PreTokenizeStep::Prepend::kAlways;
    }
    const std::string replacement = step.replacement;
    parts_->pre_tokenizer.push_back(std::move(step));
    if (bool_member(component, "split", true)) {
      PreTokenizeStep split;
      split.pattern = text::Pattern::literal(replacement);
      split.behavior = SplitBehavior::kMergedWithNext;
      parts_->pre_tokenizer.push_back(std::move(split));
    }
  }

  // --- decoder -----------------------------------------------------------------------------------

  void read_decoder(const json& decoder) {
    std::vector<json> steps;
    flatten_decoder(decoder, steps, 0);
    bool bytes = false, fallback = false, fused = false;
    std::vector<std::pair<std::string, std::string>> replacements;
    bool metaspace_prefix = false;
    for (const json& step : steps) {
      const std::string type = component_type(step, "decoder");
      if (type == "ByteLevel") {
        bytes = true;
      } else if (type == "Replace") {
        const json& pattern = member(step, "pattern");
        if (fused || !pattern.is_object() || !pattern.contains("String"))
          unsupported("decoder 'Replace'", step);
        replacements.emplace_back(string_member(pattern, "String"), string_member(step, "content"));
      } else if (type == "ByteFallback") {
        fallback = true;
      } else if (type == "Fuse") {
        fused = true;
      } else if (type == "Strip") {
        const json& start = member(step, "start");
        if (!fused || string_member(step, "content") != " " || step.value("stop", json(0)) != 0 ||
            !start.is_number_unsigned())
          unsupported("decoder 'Strip'", step);
        parts_->decode_strip_leading_spaces = start.get<std::size_t>();
      } else if (type == "Metaspace") {
        replacements.emplace_back(string_member(step, "replacement"), " ");
        metaspace_prefix = step.contains("prepend_scheme")
                               ? step["prepend_scheme"] != "never"
                               : bool_member(step, "add_prefix_space", true);
      } else {
        unsupported("decoder '" + type + "'", step);
      }
    }
    if (metaspace_prefix) parts_->decode_strip_leading_spaces = 1;
    if (bytes != byte_level_)
      fail(std::string("the decoder and the pre_tokenizer disagree about ByteLevel (") +
           (bytes ? "only the decoder has it)" : "only the pre_tokenizer has it)"));
    const std::int32_t n = parts_->tokens.size();
    parts_->byte_token.assign(static_cast<std::size_t>(n), false);
    for (std::int32_t id = 0; id < n; ++id) {
      if (!parts_->tokens.contains(id)) continue;
      std::string piece(parts_->tokens.text(id));
      const auto byte = fallback ? text::byte_token_value(piece) : std::nullopt;
      if (byte) {
        piece.assign(1, static_cast<char>(*byte));
        parts_->byte_token[static_cast<std::size_t>(id)] = true;
      } else if (bytes) {
        if (auto decoded = text::alphabet_to_bytes(piece)) piece = std::move(*decoded);
      }
      for (const auto& [from, to] : replacements) text::replace_all(piece, from, to);
      parts_->decoded.set(id, piece);
    }
  }

  void flatten_decoder(const json& decoder, std::vector<json>& steps, int depth) const {
    if (depth > kMaxNesting) fail("decoder: nested too deeply");
    if (decoder.is_null()) return;
    if (component_type(decoder, "decoder") != "Sequence") {
      steps.push_back(decoder);
      return;
    }
    for (const json& inner : array_member(decoder, "decoders"))
      flatten_decoder(inner, steps, depth + 1);
  }

  // --- what goes around a text, special tokens, the template
  // ---------------------------------------

  void read_post_processor(const json& component, int depth) {
    if (component.is_null()) return;
    if (depth > kMaxNesting) fail("post_processor: nested too deeply");
    const std::string type = component_type(component, "post_processor");
    if (type == "Sequence") {
      for (const json& inner : array_member(component, "processors"))
        read_post_processor(inner, depth + 1);
    } else if (type == "TemplateProcessing") {
      bool after_text = false;
      for (const json& piece : array_member(component, "single")) {
        if (piece.is_object() && piece.contains("Sequence")) {
          after_text = true;
        } else if (piece.is_object() && piece.contains("SpecialToken")) {
          const std::string name = string_member(piece["SpecialToken"], "id");
          const json& entry = member(member(component, "special_tokens"), name.c_str());
          for (const json& id : array_member(entry, "ids"))
            (after_text ? parts_->suffix : parts_->prefix)
                .push_back(id_of(id, "post_processor.special_tokens[].ids"));
        } else {
          unsupported("post_processor template piece", piece);
        }
      }
    } else if (type != "ByteLevel") {
      unsupported("post_processor '" + type + "'", component);
    }
  }

  std::optional<std::int32_t> token_id(const std::string& token) const {
    const auto it = vocabulary_.find(token);
    if (it != vocabulary_.end()) return it->second;
    for (const text::AddedToken& added : parts_->added)
      if (added.content == token) return added.id;
    return std::nullopt;
  }

  void read_config() {
    const json config = files_.tokenizer_config_json.empty()
                            ? json::object()
                            : parse(files_.tokenizer_config_json, "tokenizer_config.json");
    if (!config.is_object()) fail("tokenizer_config.json is no object");
    std::set<std::int32_t> eos;
    for (const auto& [key, value] : config.items()) {
      if (!key.ends_with("_token") || key.starts_with("add_")) continue;
      // A token is a string, or an object with its flags.
      const json& content =
          value.is_object() && value.contains("content") ? value["content"] : value;
      if (!content.is_string()) continue;
      const auto token = content.get<std::string>();
      parts_->special_tokens.emplace_back(key, token);
      const auto id = token_id(token);
      if (!id && (key == "bos_token" || key == "eos_token"))
        fail("tokenizer_config.json: the " + key + " '" + token + "' is not in the vocabulary");
      if (key == "bos_token") parts_->bos_id = id;
      if (key == "eos_token") eos.insert(*id);
    }
    read_generation_config(eos);
    parts_->eos_ids.assign(eos.begin(), eos.end());
    // Llama's tokenizer class builds its template from these two; others ignore them when the file
    // has a template of its own, which then says the same.
    const auto add_bos = config.find("add_bos_token");
    if (add_bos != config.end() && add_bos->is_boolean()) {
      parts_->prefix.clear();
      if (add_bos->get<bool>()) {
        if (!parts_->bos_id) fail("tokenizer_config.json: add_bos_token without a bos_token");
        parts_->prefix.push_back(*parts_->bos_id);
      }
    }
    const auto add_eos = config.find("add_eos_token");
    if (add_eos != config.end() && add_eos->is_boolean()) {
      parts_->suffix.clear();
      if (add_eos->get<bool>()) {
        const std::string* token = special_token("eos_token");
        if (!token) fail("tokenizer_config.json: add_eos_token without an eos_token");
        parts_->suffix.push_back(*token_id(*token));
      }
    }
    parts_->chat_template =
        files_.chat_template_jinja.empty() ? template_of(config) : files_.chat_template_jinja;
  }

  const std::string* special_token(std::string_view name) const {
    for (const auto& [key, token] : parts_->special_tokens)
      if (key == name) return &token;
    return nullptr;
  }

  void read_generation_config(std::set<std::int32_t>& eos) {
    if (files_.generation_config_json.empty()) return;
    const json config = parse(files_.generation_config_json, "generation_config.json");
    if (!config.is_object()) fail("generation_config.json is no object");
    const auto it = config.find("eos_token_id");
    if (it != config.end() && !it->is_null()) {
      for (const json& id : it->is_array() ? *it : json::array({*it})) {
        const std::int32_t value = id_of(id, "generation_config.json: eos_token_id");
        if (!parts_->tokens.contains(value))
          fail("generation_config.json: eos_token_id " + std::to_string(value) +
               " is not in the vocabulary");
        eos.insert(value);
      }
    }
    const auto bos = config.find("bos_token_id");
    if (!parts_->bos_id && bos != config.end() && bos->is_number_integer()) {
      const std::int32_t value = id_of(*bos, "generation_config.json: bos_token_id");
      if (parts_->tokens.contains(value)) parts_->bos_id = value;
    }
  }

  std::string template_of(const json& config) const {
    const auto it = config.find("chat_template");
    if (it == config.end() || it->is_null()) return {};
    if (it->is_string()) return it->get<std::string>();
    if (it->is_array())  // several by name; "default" is the one for chat
      for (const json& entry : *it)
        if (entry.is_object() && entry.value("name", json()) == "default")
          return string_member(entry, "template");
    fail("tokenizer_config.json: chat_template is neither a string nor a list with a 'default'");
  }

  const TokenizerFiles& files_;
  std::shared_ptr<TokenizerParts> parts_ = std::make_shared<TokenizerParts>();
  std::unordered_map<std::string, std::int32_t> vocabulary_;
  std::string key_;
  bool byte_level_ = false;
};

std::string read_text_file(const std::filesystem::path& path, bool required) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    if (!required) return {};
    throw Error(
        ErrorCode::kBadModel, path.string() + ": no such file",
        "a Hugging Face directory needs tokenizer.json; convert an old tokenizer.model with "
        "transformers' AutoTokenizer(...).save_pretrained");
  }
  const auto size = std::filesystem::file_size(path, error);
  if (!error && size > kMaxFileBytes)
    throw Error(ErrorCode::kBadModel, path.string() + ": larger than 256 MiB");
  std::ifstream in(path, std::ios::binary);
  std::string content((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) throw Error(ErrorCode::kIo, path.string() + ": cannot be read");
  return content;
}

}  // namespace

Tokenizer Tokenizer::from_files(const TokenizerFiles& files) {
  try {
    return Tokenizer(JsonLoader(files).load());
  } catch (const json::exception& e) {
    throw Error(ErrorCode::kBadModel, files.name + ": " + e.what());
  }
}

Tokenizer Tokenizer::from_directory(const std::filesystem::path& directory) {
  TokenizerFiles files;
  files.name = (directory / "tokenizer.json").string();
  files.tokenizer_json = read_text_file(directory / "tokenizer.json", true);
  files.tokenizer_config_json = read_text_file(directory / "tokenizer_config.json", false);
  files.generation_config_json = read_text_file(directory / "generation_config.json", false);
  files.chat_template_jinja = read_text_file(directory / "chat_template.jinja", false);
  return from_files(files);
}

}  // namespace moebench
