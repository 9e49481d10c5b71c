#include "datasets/readers/readers.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "datasets/embedded.h"
#include "datasets/extraction/extraction.h"
#include "datasets/fetch/sha256.h"
#include "datasets/grading/corrections.h"
#include "engine/base/error.h"
#include "engine/base/expected.h"

namespace moebench {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{1} << 31;
constexpr std::size_t kMaxRowBytes = 8u << 20;
constexpr int kMaxRowDepth = 32;  // the published rows are flat
constexpr std::string_view kEmbeddedPrefix = "embedded:";

struct TooDeep {};

/// A field as text: strings as they are, numbers by their digits; nullopt if absent.
Expected<std::optional<std::string>, std::string> field(const json& row, const char* key) {
  const auto it = row.find(key);
  if (it == row.end() || it->is_null()) return std::nullopt;
  if (it->is_string()) return it->get<std::string>();
  if (it->is_number()) return it->dump();
  return Unexpected<std::string>(std::string("field \"") + key + "\" is no text");
}

Expected<std::string, std::string> required(const json& row, const char* key) {
  auto value = field(row, key);
  if (!value) return Unexpected<std::string>(value.error());
  if (!*value) return Unexpected<std::string>(std::string("lacks the field \"") + key + "\"");
  if ((*value)->find_first_not_of(" \t\r\n") == std::string::npos) {
    return Unexpected<std::string>(std::string("field \"") + key + "\" is empty");
  }
  return **value;
}

std::string optional_text(const json& row, const char* key) {
  auto value = field(row, key);
  return value && *value ? **value : std::string();
}

/// "Level 5" -> "5", so that every form of MATH groups alike.
std::string level_digits(std::string level) {
  return level.starts_with("Level ") ? level.substr(6) : level;
}

std::string trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

/// GSM8K's worked solutions carry calculator marks <<48/2=24>>, which no protocol shows to a model
/// as they stand in the data; lm-eval does show them, so they are kept here.
Expected<Sample, std::string> to_gsm8k(const json& row) {
  Sample sample;
  auto question = required(row, "question");
  if (!question) return Unexpected<std::string>(question.error());
  auto answer = required(row, "answer");
  if (!answer) return Unexpected<std::string>(answer.error());
  const std::size_t mark = answer->rfind("####");
  if (mark == std::string::npos) return Unexpected<std::string>("answer has no \"####\"");
  sample.question = *question;
  sample.solution = *answer;
  sample.target = trim(std::string_view(*answer).substr(mark + 4));
  if (sample.target.empty()) return Unexpected<std::string>("nothing after \"####\"");
  sample.level = level_digits(optional_text(row, "level"));  // gsm8k-mini has levels, GSM8K has not
  sample.subject = optional_text(row, "subject");
  sample.level = optional_text(row, "level");  // gsm8k-mini has levels, GSM8K none
  return sample;
}

Expected<Sample, std::string> to_math(const json& row) {
  Sample sample;
  auto problem = required(row, "problem");
  if (!problem) return Unexpected<std::string>(problem.error());
  auto solution = required(row, "solution");
  if (!solution) return Unexpected<std::string>(solution.error());
  sample.question = *problem;
  sample.solution = *solution;
  sample.target = last_boxed(*solution);
  if (sample.target.empty()) return Unexpected<std::string>("solution has no \\boxed{}");
  sample.level = level_digits(optional_text(row, "level"));
  sample.subject = optional_text(row, "type");
  if (const std::string id = optional_text(row, "idx"); !id.empty()) sample.id = "math/" + id;
  return sample;
}

Expected<Sample, std::string> to_math500(const json& row) {
  Sample sample;
  auto problem = required(row, "problem");
  if (!problem) return Unexpected<std::string>(problem.error());
  auto answer = required(row, "answer");
  if (!answer) return Unexpected<std::string>(answer.error());
  sample.question = *problem;
  sample.target = *answer;
  sample.solution = optional_text(row, "solution");
  sample.level = level_digits(optional_text(row, "level"));
  sample.subject = optional_text(row, "subject");
  sample.id = optional_text(row, "unique_id");
  return sample;
}

Expected<Sample, std::string> to_plain(const json& row) {
  Sample sample;
  auto question = required(row, "question");
  if (!question) return Unexpected<std::string>(question.error());
  auto target = required(row, "target");
  if (!target) return Unexpected<std::string>(target.error());
  sample.question = *question;
  sample.target = *target;
  sample.solution = optional_text(row, "solution");
  sample.level = optional_text(row, "level");
  sample.subject = optional_text(row, "subject");
  sample.id = optional_text(row, "id");
  return sample;
}

Expected<Sample, std::string> to_sample(ReaderKind reader, const json& row) {
  if (!row.is_object()) return Unexpected<std::string>("not a JSON object");
  switch (reader) {
    case ReaderKind::kGsm8kJsonl:
      return to_gsm8k(row);
    case ReaderKind::kMathJsonl:
    case ReaderKind::kMathTree:
      return to_math(row);
    case ReaderKind::kMath500Jsonl:
      return to_math500(row);
    case ReaderKind::kPlainJsonl:
      return to_plain(row);
  }
  return Unexpected<std::string>("unknown reader");
}

void add_row(const DataFile& file, const std::string& prefix, std::int64_t index,
             std::string_view text, SampleSet& set) {
  if (text.size() > kMaxRowBytes) {
    set.malformed.push_back({index, "the row is longer than 8 MiB"});
    return;
  }
  json row;
  try {
    row = json::parse(text, [](int depth, json::parse_event_t, json&) {
      if (depth > kMaxRowDepth) throw TooDeep{};
      return true;
    });
  } catch (const json::exception&) {
    set.malformed.push_back({index, "not JSON"});
    return;
  } catch (const TooDeep&) {
    set.malformed.push_back({index, "nested too deeply"});
    return;
  }
  auto sample = to_sample(file.reader, row);
  if (!sample) {
    set.malformed.push_back({index, sample.error()});
    return;
  }
  sample->index = index;
  if (sample->id.empty()) sample->id = prefix + "/" + std::to_string(index);
  sample->corrected_targets = corrected_targets(sample->question, sample->target);
  set.samples.push_back(std::move(*sample));
}

void read_lines(const DataFile& file, const std::string& prefix, std::string_view bytes,
                SampleSet& set) {
  std::int64_t index = 0;
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    add_row(file, prefix, index++, line, set);
  }
}

std::string slurp(const fs::path& path) {
  std::error_code code;
  const auto size = fs::file_size(path, code);
  if (code) throw Error(ErrorCode::kIo, path.string() + ": " + code.message());
  if (size > kMaxFileBytes) {
    throw Error(ErrorCode::kConfiguration, path.string() + ": larger than 2 GiB",
                "give the data set's own file");
  }
  std::ifstream in(path, std::ios::binary);
  std::string bytes(size, '\0');
  if (!in || !in.read(bytes.data(), static_cast<std::streamsize>(size))) {
    throw Error(ErrorCode::kIo, path.string() + ": cannot be read", "check its permissions");
  }
  return bytes;
}

/// MATH as published: <split>/<subject>/<number>.json. Subjects by name, problems by number, so
/// that the order does not depend on the file system.
void read_tree(const DataFile& file, const fs::path& folder, SampleSet& set) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && entry.path().extension() == ".json")
      paths.push_back(entry.path());
  }
  const auto key = [&](const fs::path& path) {
    long number = 0;
    const std::string stem = path.stem().string();
    std::from_chars(stem.data(), stem.data() + stem.size(), number);
    return std::tuple(path.parent_path().string(), number, stem);
  };
  std::sort(paths.begin(), paths.end(),
            [&](const fs::path& a, const fs::path& b) { return key(a) < key(b); });
  std::string sums;
  std::int64_t index = 0;
  for (const fs::path& path : paths) {
    const std::string name = fs::relative(path, folder).generic_string();
    const std::string bytes = slurp(path);
    sums += name + '\0' + sha256_hex(bytes) + '\n';
    add_row(file, folder.filename().string() + "/" + name, index++, bytes, set);
    if (!set.samples.empty() && set.samples.back().index == index - 1) {
      set.samples.back().id = folder.filename().string() + "/" + name;
    }
  }
  set.sha256 = sha256_hex(sums);
}

std::string how_to_get(const Task& task, const fs::path& data_folder) {
  std::string remedy;
  if (data_folder.empty()) remedy += "name the folder that holds the data (--data DIR)";
  for (const DataFile& file : task.files) {
    if (file.url.empty()) continue;
    remedy += remedy.empty() ? "" : ", or ";
    remedy += "run `moebench data fetch " + task.name + " --data " +
              (data_folder.empty() ? "DIR" : data_folder.string()) + "`";
    break;
  }
  return remedy;
}

SampleSet read_first(const Task& task, const std::vector<DataFile>& files,
                     const fs::path& data_folder) {
  std::string looked_for;
  for (const DataFile& file : files) {
    if (file.file.starts_with(kEmbeddedPrefix)) {
      const std::string_view name = std::string_view(file.file).substr(kEmbeddedPrefix.size());
      for (const EmbeddedFile& embedded : embedded_samples()) {
        if (embedded.name != name) continue;
        SampleSet set;
        set.file = file.file;
        set.sha256 = sha256_hex(embedded.bytes);
        read_lines(file, task.name, embedded.bytes, set);
        set.pinned = true;
        return set;
      }
      looked_for += (looked_for.empty() ? "" : ", ") + file.file;
      continue;
    }
    for (const fs::path& base : {data_folder, fs::path(task.base_folder)}) {
      if (base.empty() && !fs::path(file.file).is_absolute()) continue;
      const fs::path path = base / file.file;
      looked_for += (looked_for.empty() ? "" : ", ") + path.string();
      if (!fs::exists(path)) continue;
      SampleSet set = read_file(file, path, task.name);
      if (!file.sha256.empty() && set.sha256 != file.sha256) {
        throw Error(ErrorCode::kConfiguration,
                    path.string() + ": its sha256 is " + set.sha256 + ", the task " + task.name +
                        " expects " + file.sha256,
                    "the file is not the published one: delete it and run `moebench data fetch " +
                        task.name + " --data " + data_folder.string() +
                        "`, or use a task file of your own without the sum");
      }
      set.pinned = !file.sha256.empty();
      return set;
    }
  }
  if (looked_for.empty()) {
    for (const DataFile& file : files) looked_for += (looked_for.empty() ? "" : ", ") + file.file;
  }
  throw Error(ErrorCode::kConfiguration,
              "task " + task.name + ": no data found (looked for " + looked_for + ")",
              how_to_get(task, data_folder));
}

}  // namespace

SampleSet read_file(const DataFile& file, const fs::path& path, const std::string& prefix) {
  SampleSet set;
  set.file = path.string();
  if (file.format == "tree") {
    if (!fs::is_directory(path)) {
      throw Error(ErrorCode::kConfiguration, path.string() + ": is no folder",
                  "MATH's original form is a folder of one JSON file a problem");
    }
    read_tree(file, path, set);
  } else if (file.format == "jsonl") {
    const std::string bytes = slurp(path);
    set.sha256 = sha256_hex(bytes);
    read_lines(file, prefix, bytes, set);
  } else {
    throw Error(ErrorCode::kConfiguration,
                path.string() + ": format " + file.format + " cannot be read");
  }
  if (set.samples.empty()) {
    const std::string first = set.malformed.empty() ? "it is empty" : set.malformed[0].reason;
    throw Error(ErrorCode::kConfiguration,
                path.string() + ": holds no readable row (" + first + ")",
                "check that the file is the data set's own and that the task's reader fits it");
  }
  return set;
}

SampleSet read_samples(const Task& task, const fs::path& data_folder) {
  return read_first(task, task.files, data_folder);
}

std::vector<Sample> read_shots(const Task& task, const fs::path& data_folder) {
  std::vector<Sample> shots;
  if (task.prompt.shot_rows.empty()) return shots;
  const SampleSet train = read_first(task, task.train_files, data_folder);
  for (const std::int64_t row : task.prompt.shot_rows) {
    const auto found = std::find_if(train.samples.begin(), train.samples.end(),
                                    [&](const Sample& sample) { return sample.index == row; });
    if (found == train.samples.end()) {
      throw Error(ErrorCode::kConfiguration, train.file + ": has no row " + std::to_string(row) +
                                                 ", which task " + task.name + " uses as a shot");
    }
    shots.push_back(*found);
  }
  return shots;
}

std::vector<std::string> list_embedded_samples() {
  std::vector<std::string> names;
  for (const EmbeddedFile& file : embedded_samples()) names.emplace_back(file.name);
  return names;
}

}  // namespace moebench
