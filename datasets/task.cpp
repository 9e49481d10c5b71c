#include "datasets/task.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <sstream>

#include "datasets/embedded.h"
#include "datasets/fetch/sha256.h"
#include "engine/base/error.h"

namespace moebench {
namespace {

using nlohmann::json;

/// Reads the fields of one JSON object and knows its place, so that every error names it.
class Fields {
 public:
  Fields(const json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object_.is_object()) fail("must be an object");
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorCode::kConfiguration, where_ + ": " + what,
                "see datasets/README.md for the form of a task file");
  }

  void allow_only(std::initializer_list<std::string_view> keys) const {
    for (const auto& [key, value] : object_.items()) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end())
        fail("unknown key \"" + key + "\"");
    }
  }

  const json* find(const char* key) const {
    const auto it = object_.find(key);
    return it == object_.end() ? nullptr : &*it;
  }

  std::string text(const char* key) const {
    const json* value = find(key);
    if (!value) fail(std::string("lacks \"") + key + "\"");
    if (!value->is_string()) fail(std::string("\"") + key + "\" must be a string");
    return value->get<std::string>();
  }

  std::string text_or(const char* key, std::string fallback) const {
    return find(key) ? text(key) : std::move(fallback);
  }

  template <class T>
  std::optional<T> number(const char* key, double low, double high) const {
    const json* value = find(key);
    if (!value) return std::nullopt;
    const bool kind_ok = std::is_integral_v<T> ? value->is_number_integer() : value->is_number();
    if (!kind_ok || value->get<double>() < low || value->get<double>() > high) {
      std::ostringstream what;
      what << '"' << key << "\" must be " << (std::is_integral_v<T> ? "a whole number" : "a number")
           << " from " << low << " to " << high;
      fail(what.str());
    }
    return value->get<T>();
  }

  std::vector<std::string> texts(const char* key) const {
    std::vector<std::string> result;
    const json* value = find(key);
    if (!value) return result;
    if (!value->is_array()) fail(std::string("\"") + key + "\" must be a list of strings");
    for (const json& item : *value) {
      if (!item.is_string()) fail(std::string("\"") + key + "\" must be a list of strings");
      result.push_back(item.get<std::string>());
    }
    return result;
  }

  bool flag(const char* key) const {
    const json* value = find(key);
    if (!value) return false;
    if (!value->is_boolean()) fail(std::string("\"") + key + "\" must be true or false");
    return value->get<bool>();
  }

  Fields object(const char* key) const {
    const json* value = find(key);
    if (!value) fail(std::string("lacks \"") + key + "\"");
    return Fields(*value, where_ + ": " + key);
  }

  /// The value of `key` looked up in a table of names; an unknown name is an error that lists them.
  template <class T>
  T choice(const char* key, std::initializer_list<std::pair<std::string_view, T>> names) const {
    const std::string name = text(key);
    std::string known;
    for (const auto& [candidate, value] : names) {
      if (candidate == name) return value;
      known += known.empty() ? "" : ", ";
      known += candidate;
    }
    fail(std::string("\"") + key + "\" is \"" + name + "\"; known are " + known);
  }

  const std::string& where() const { return where_; }

 private:
  const json& object_;
  std::string where_;
};

std::vector<DataFile> parse_files(const Fields& fields, const char* key) {
  std::vector<DataFile> files;
  const json* list = fields.find(key);
  if (!list) return files;
  if (!list->is_array()) fields.fail(std::string("\"") + key + "\" must be a list");
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Fields entry((*list)[i], fields.where() + ": " + key + "[" + std::to_string(i) + "]");
    entry.allow_only({"file", "reader", "format", "sha256", "url"});
    DataFile file;
    file.file = entry.text("file");
    // A task file may come from anybody: it names files below the folders that the user named.
    const std::filesystem::path named(file.file);
    if (named.empty() || named.is_absolute() ||
        std::find(named.begin(), named.end(), "..") != named.end()) {
      entry.fail(
          "\"file\" is \"" + file.file +
          "\"; it must stay below the data's or the task's folder: neither absolute nor with ..");
    }
    file.reader = entry.choice<ReaderKind>("reader", {{"gsm8k", ReaderKind::kGsm8kJsonl},
                                                      {"math", ReaderKind::kMathJsonl},
                                                      {"math-tree", ReaderKind::kMathTree},
                                                      {"math500", ReaderKind::kMath500Jsonl},
                                                      {"plain", ReaderKind::kPlainJsonl}});
    file.format = entry.text_or("format", file.reader == ReaderKind::kMathTree ? "tree" : "jsonl");
    if (file.format != "jsonl" && file.format != "tree") {
      entry.fail("\"format\" is \"" + file.format + "\"; known are jsonl, tree");
    }
    file.sha256 = entry.text_or("sha256", "");
    const bool hex = file.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!file.sha256.empty() && (file.sha256.size() != 64 || !hex)) {
      entry.fail("\"sha256\" must be 64 lower-case hex digits");
    }
    file.url = entry.text_or("url", "");
    files.push_back(std::move(file));
  }
  return files;
}

PromptSpec parse_prompt(const Fields& fields) {
  fields.allow_only({"form", "system", "question", "shot_question", "shot_answer", "shot_separator",
                     "shot_rows"});
  PromptSpec prompt;
  prompt.form =
      fields.choice<PromptForm>("form", {{"chat", PromptForm::kChat}, {"text", PromptForm::kText}});
  prompt.system = fields.text_or("system", "");
  prompt.question_template = fields.text("question");
  if (prompt.question_template.find("{question}") == std::string::npos) {
    fields.fail("\"question\" must contain {question}");
  }
  prompt.shot_question_template = fields.text_or("shot_question", prompt.question_template);
  prompt.shot_answer_template = fields.text_or("shot_answer", "{solution}");
  prompt.shot_separator = fields.text_or("shot_separator", "\n\n");
  if (const json* rows = fields.find("shot_rows")) {
    if (!rows->is_array() || rows->size() > 64)
      fields.fail("\"shot_rows\" must be a list of at most 64 rows");
    for (const json& row : *rows) {
      if (!row.is_number_unsigned()) fields.fail("\"shot_rows\" must hold whole numbers from 0");
      prompt.shot_rows.push_back(row.get<std::int64_t>());
    }
  }
  if (prompt.form == PromptForm::kText && !prompt.system.empty()) {
    fields.fail("a text prompt has no \"system\"");
  }
  return prompt;
}

SamplingDefaults parse_sampling(const Fields& fields) {
  fields.allow_only({"temperature", "top_p", "max_tokens", "samples_per_question", "stop"});
  SamplingDefaults sampling;
  sampling.temperature = fields.number<double>("temperature", 0, 100);
  sampling.top_p = fields.number<double>("top_p", 0, 1);
  sampling.max_tokens = fields.number<std::int64_t>("max_tokens", 1, 1 << 24);
  sampling.samples_per_question =
      fields.number<std::int64_t>("samples_per_question", 1, 100000).value_or(1);
  sampling.stop = fields.texts("stop");
  return sampling;
}

ExtractionRules parse_extraction(const Fields& fields) {
  fields.allow_only({"kind", "run_on_marks"});
  ExtractionRules rules;
  rules.kind =
      fields.choice<ExtractionKind>("kind", {{"strict-hash", ExtractionKind::kStrictHash},
                                             {"flexible-number", ExtractionKind::kFlexibleNumber},
                                             {"boxed", ExtractionKind::kBoxed},
                                             {"strict-boxed", ExtractionKind::kStrictBoxed},
                                             {"stated-answer", ExtractionKind::kStatedAnswer}});
  rules.run_on_marks = fields.texts("run_on_marks");
  return rules;
}

}  // namespace

std::string Task::hash() const { return sha256_hex(canonical_json); }

Task parse_task(std::string_view json_text, const std::string& where) {
  if (json_text.size() > (1u << 20)) {
    throw Error(ErrorCode::kConfiguration, where + ": a task file has at most 1 MiB");
  }
  json document;
  try {
    document = json::parse(json_text);
  } catch (const json::exception& error) {
    throw Error(ErrorCode::kConfiguration, where + ": not JSON: " + error.what());
  }
  const Fields fields(document, where);
  fields.allow_only({"name", "title", "source", "protocol", "files", "train_files", "prompt",
                     "sampling", "extraction", "grading", "require_simplest_form"});
  Task task;
  task.name = fields.text("name");
  const bool name_ok =
      task.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == std::string::npos;
  if (task.name.empty() || !name_ok)
    fields.fail("\"name\" must be lower-case letters, digits, - and _");
  task.title = fields.text("title");
  task.source = fields.text("source");
  task.protocol = fields.text("protocol");
  task.files = parse_files(fields, "files");
  if (task.files.empty()) fields.fail("\"files\" must name at least one file");
  task.train_files = parse_files(fields, "train_files");
  task.prompt = parse_prompt(fields.object("prompt"));
  if (!task.prompt.shot_rows.empty() && task.train_files.empty()) {
    fields.fail("\"shot_rows\" need \"train_files\"");
  }
  task.sampling = parse_sampling(fields.object("sampling"));
  task.extraction = parse_extraction(fields.object("extraction"));
  task.grading = fields.choice<GradingKind>(
      "grading", {{"number", GradingKind::kNumber}, {"math", GradingKind::kMath}});
  task.require_simplest_form = fields.flag("require_simplest_form");
  task.canonical_json = document.dump();
  return task;
}

std::vector<std::string> list_tasks() {
  std::vector<std::string> names;
  for (const EmbeddedFile& file : embedded_tasks()) {
    names.emplace_back(file.name.substr(0, file.name.rfind('.')));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Task load_task(const std::string& name_or_path) {
  const bool is_path = name_or_path.ends_with(".json");
  if (!is_path) {
    for (const EmbeddedFile& file : embedded_tasks()) {
      if (file.name == name_or_path + ".json") {
        Task task = parse_task(file.bytes, "built-in task " + name_or_path);
        if (task.name != name_or_path) {
          throw Error(ErrorCode::kInternal, "the built-in task file " + name_or_path +
                                                ".json is named " + task.name + " inside");
        }
        return task;
      }
    }
    std::string known;
    for (const std::string& name : list_tasks()) known += (known.empty() ? "" : ", ") + name;
    throw Error(ErrorCode::kConfiguration, "unknown task \"" + name_or_path + "\"",
                "known are " + known + "; your own task is a path that ends in .json");
  }
  std::ifstream in(name_or_path, std::ios::binary);
  if (!in) {
    throw Error(ErrorCode::kConfiguration, name_or_path + ": cannot be opened",
                "check the path of the task file");
  }
  std::ostringstream bytes;
  bytes << in.rdbuf();
  Task task = parse_task(bytes.str(), name_or_path);
  task.base_folder = std::filesystem::absolute(name_or_path).parent_path().string();
  return task;
}

}  // namespace moebench
