#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "harness/launch/launch_command.h"

namespace moebench {

/// A port of the loopback interface that is free now.
std::uint16_t free_port();

/// A server that this process has started: a child in a process group of its own. It ends with this
/// object (SIGTERM to the group, SIGKILL after ten seconds), and the kernel kills it when this
/// process dies in any way.
class ServerProcess {
 public:
  /// What it prints is appended to the file `log`, whose folder is made, and stays there; where
  /// `log` is empty, nothing of it outlives this object. Throws Error(kUsage) when there is no such
  /// program, Error(kIo) when the log can't be made.
  ServerProcess(const LaunchCommand& command, std::filesystem::path log);
  ~ServerProcess();

  /// Waits until GET `url` answers with status 200. Throws Error(kDevice), with the end of what the
  /// server printed since it was started, when it ends or takes longer than `limit`.
  void wait_until_healthy(const std::string& url, std::chrono::seconds limit);

 private:
  struct Child;
  struct Log;
  [[noreturn]] void fail(const std::string& what);

  std::filesystem::path log_path_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Child> child_;
};

}  // namespace moebench
