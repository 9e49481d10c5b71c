#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace moebench {

/// A file mapped read-only; the bytes stay valid while the object lives. Movable, not copyable.
/// Throws Error(kIo) that names the path when it cannot be opened or mapped.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const noexcept { return {data_, size_bytes_}; }
  const std::filesystem::path& path() const noexcept { return path_; }

  /// Tells the OS that these bytes (a part of bytes()) won't be read again soon, so that the
  /// resident set does not hold a weight twice once a backend has repacked it. Whole pages only; a
  /// hint.
  void release_pages(std::span<const std::byte> part) const noexcept;

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_bytes_ = 0;
};

}  // namespace moebench
