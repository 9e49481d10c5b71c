#pragma once

#include <filesystem>

namespace moebench {

/// Holds a run directory for writing: a second process that wants it gets an Error(kUsage) instead
/// of mixing its lines with ours. The lock goes with the process, however it ends.
class RunDirectoryLock {
 public:
  /// Makes the directory (and its parents) where it is missing. Throws Error(kIo).
  explicit RunDirectoryLock(const std::filesystem::path& directory);
  RunDirectoryLock(const RunDirectoryLock&) = delete;
  RunDirectoryLock& operator=(const RunDirectoryLock&) = delete;
  ~RunDirectoryLock();

 private:
  int descriptor_ = -1;
};

}  // namespace moebench
