#include "engine/formats/model_files.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "engine/base/error.h"

namespace moebench {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kGgufSuffix = ".gguf";

// What a model directory may contribute; anything else in it (READMEs, pickles, images) stays
// unmapped.
constexpr std::array<std::string_view, 6> kModelSuffixes = {".json", ".safetensors", ".jinja",
                                                            ".txt",  ".model",       ".gguf"};

bool is_gguf_name(std::string_view name) noexcept { return name.ends_with(kGgufSuffix); }

/// "name-00002-of-00005.gguf" taken apart; nothing for a name of another form.
struct SplitName {
  std::string prefix;
  int part, parts;
};
std::optional<SplitName> parse_split_name(std::string_view name) {
  constexpr std::string_view kForm = "-00000-of-00000.gguf";
  if (name.size() <= kForm.size()) return std::nullopt;
  const std::string_view tail = name.substr(name.size() - kForm.size());
  int part = 0, parts = 0;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    if (kForm[i] != '0') {
      if (tail[i] != kForm[i]) return std::nullopt;
      continue;
    }
    if (std::isdigit(static_cast<unsigned char>(tail[i])) == 0) return std::nullopt;
    int& number = i < 7 ? part : parts;
    number = number * 10 + (tail[i] - '0');
  }
  if (part < 1 || parts < part) return std::nullopt;
  return SplitName{std::string(name.substr(0, name.size() - kForm.size())), part, parts};
}

std::string split_name(const SplitName& split, int part) {
  const auto five_digits = [](int number) {
    std::string text = std::to_string(number);
    return std::string(text.size() < 5 ? 5 - text.size() : 0, '0') + text;
  };
  return split.prefix + "-" + five_digits(part) + "-of-" + five_digits(split.parts) +
         std::string(kGgufSuffix);
}

std::vector<fs::path> gguf_parts(const fs::path& path) {
  const std::optional<SplitName> split = parse_split_name(path.filename().string());
  if (!split) return {path};
  std::vector<fs::path> parts;
  for (int part = 1; part <= split->parts; ++part) {
    fs::path file = path.parent_path() / split_name(*split, part);
    if (!fs::exists(file)) {
      throw Error(ErrorCode::kBadModel,
                  file.string() + ": missing, part " + std::to_string(part) + " of " +
                      std::to_string(split->parts) + " of a split GGUF",
                  "put all parts into one directory");
    }
    parts.push_back(std::move(file));
  }
  return parts;
}

std::vector<fs::path> directory_files(const fs::path& directory) {
  std::vector<fs::path> all, ggufs;
  bool has_config = false;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    const std::string name = entry.path().filename().string();
    const bool wanted =
        std::any_of(kModelSuffixes.begin(), kModelSuffixes.end(),
                    [&](std::string_view suffix) { return name.ends_with(suffix); });
    if (!wanted) continue;
    has_config = has_config || name == "config.json";
    (is_gguf_name(name) ? ggufs : all).push_back(entry.path());
  }
  if (has_config) return all;
  if (ggufs.empty()) {
    throw Error(ErrorCode::kBadModel,
                directory.string() + ": neither config.json nor a .gguf file in this directory",
                "name a Hugging Face model directory or a .gguf file");
  }
  std::set<fs::path> models;
  for (const fs::path& file : ggufs) models.insert(gguf_parts(file).front());
  if (models.size() > 1) {
    throw Error(ErrorCode::kBadModel,
                directory.string() + ": holds " + std::to_string(models.size()) + " GGUF models",
                "name the .gguf file itself");
  }
  return gguf_parts(*models.begin());
}

bool by_name(const ModelFiles::File& a, const ModelFiles::File& b) noexcept {
  return a.name < b.name;
}

}  // namespace

ModelFiles::ModelFiles(std::vector<File> files, std::vector<MappedFile> mappings,
                       std::string location)
    : files_(std::move(files)), mappings_(std::move(mappings)), location_(std::move(location)) {
  std::sort(files_.begin(), files_.end(), by_name);
}

std::shared_ptr<const ModelFiles> ModelFiles::open(const fs::path& path) {
  std::vector<fs::path> paths;
  std::string location;
  try {
    if (fs::is_directory(path)) {
      paths = directory_files(path);
      location = path.string();
    } else if (is_gguf_name(path.filename().string())) {
      if (!fs::exists(path)) {
        throw Error(ErrorCode::kBadModel, path.string() + ": no such file", "check the path");
      }
      paths = gguf_parts(path);
      location = path.parent_path().string();
    } else if (!fs::exists(path)) {
      throw Error(ErrorCode::kBadModel, path.string() + ": no such file or directory",
                  "check the path (the model that is built in is called canary)");
    } else {
      throw Error(ErrorCode::kBadModel, path.string() + ": neither a directory nor a .gguf file",
                  "name a Hugging Face model directory or a .gguf file");
    }
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorCode::kIo, path.string() + ": " + error.code().message(),
                "check the path and its permissions");
  }
  std::vector<File> files;
  std::vector<MappedFile> mappings;
  for (const fs::path& file : paths) {
    mappings.emplace_back(file);
    files.push_back({file.filename().string(), mappings.back().bytes()});
  }
  return std::shared_ptr<const ModelFiles>(
      new ModelFiles(std::move(files), std::move(mappings), std::move(location)));
}

std::shared_ptr<const ModelFiles> ModelFiles::from_memory(std::vector<File> files,
                                                          std::string location) {
  return std::shared_ptr<const ModelFiles>(
      new ModelFiles(std::move(files), {}, std::move(location)));
}

const ModelFiles::File* ModelFiles::find(std::string_view name) const noexcept {
  const auto found = std::find_if(files_.begin(), files_.end(),
                                  [&](const File& file) { return file.name == name; });
  return found == files_.end() ? nullptr : &*found;
}

const ModelFiles::File& ModelFiles::require(std::string_view name) const {
  if (const File* file = find(name)) return *file;
  throw Error(ErrorCode::kBadModel, path_of(name) + ": missing",
              "complete the model's directory (an interrupted download?)");
}

bool ModelFiles::is_gguf() const noexcept {
  return !files_.empty() && std::all_of(files_.begin(), files_.end(),
                                        [](const File& file) { return is_gguf_name(file.name); });
}

std::string ModelFiles::path_of(std::string_view name) const {
  return location_.empty() ? std::string(name) : location_ + "/" + std::string(name);
}

void ModelFiles::release_pages(std::span<const std::byte> part) const noexcept {
  for (const MappedFile& mapping : mappings_) {
    const std::span<const std::byte> bytes = mapping.bytes();
    if (part.data() >= bytes.data() && part.data() + part.size() <= bytes.data() + bytes.size()) {
      mapping.release_pages(part);
      return;
    }
  }
}

}  // namespace moebench
