#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/mapped_file.h"

namespace moebench {

/// The files that make up one model, as named byte spans; owns the mappings, so whoever keeps a
/// view of the bytes keeps the ModelFiles (a shared_ptr) alive. Immutable, hence safe to share
/// between threads.
class ModelFiles {
 public:
  struct File {
    std::string name;  ///< without the directory: "config.json", "model-00001-of-00002.safetensors"
    std::span<const std::byte> bytes;

    std::string_view text() const noexcept {
      return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
  };

  /// A Hugging Face directory (config.json, tokenizer.json, *.safetensors...), a .gguf file (all
  /// parts of a split one, whichever part is named), or a directory that holds exactly one GGUF
  /// model. Throws Error(kIo) for what cannot be read, Error(kBadModel) for what is no model or
  /// lacks a part.
  static std::shared_ptr<const ModelFiles> open(const std::filesystem::path& path);

  /// Files that are in memory already and outlive the result (the embedded canary). `location`
  /// stands for the path in messages.
  static std::shared_ptr<const ModelFiles> from_memory(std::vector<File> files,
                                                       std::string location);

  const std::string& location() const noexcept { return location_; }
  const std::vector<File>& files() const noexcept { return files_; }  ///< by name, ascending
  const File* find(std::string_view name) const noexcept;             ///< nullptr: not there
  const File& require(std::string_view name) const;  ///< throws Error(kBadModel) naming it
  bool is_gguf() const noexcept;                     ///< every model file is a part of a GGUF

  /// Where a file is, for messages: "location/name".
  std::string path_of(std::string_view name) const;

  /// A hint that these bytes (within one of the files) won't be read again soon; see
  /// MappedFile::release_pages. Nothing happens for files in memory.
  void release_pages(std::span<const std::byte> part) const noexcept;

  ModelFiles(const ModelFiles&) = delete;
  ModelFiles& operator=(const ModelFiles&) = delete;

 private:
  ModelFiles(std::vector<File> files, std::vector<MappedFile> mappings, std::string location);

  std::vector<File> files_;
  std::vector<MappedFile> mappings_;
  std::string location_;
};

}  // namespace moebench
