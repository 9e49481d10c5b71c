#include "harness/run/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "engine/base/error.h"

namespace moebench {

RunDirectoryLock::RunDirectoryLock(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    throw Error(ErrorCode::kIo, directory.string() + ": cannot be made: " + error.message(),
                "-o DIR with a folder that you may write");
  }
  descriptor_ = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ < 0) {
    throw Error(ErrorCode::kIo, directory.string() + ": cannot be opened: " + std::strerror(errno));
  }
  if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    close(descriptor_);
    if (reason == EWOULDBLOCK) {
      throw Error(ErrorCode::kUsage, directory.string() + ": another moebench is writing this run",
                  "wait for it, or choose another -o");
    }
    throw Error(ErrorCode::kIo,
                directory.string() + ": cannot be locked: " + std::strerror(reason));
  }
}

RunDirectoryLock::~RunDirectoryLock() { close(descriptor_); }

}  // namespace moebench
