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
/// process dies in any way. What it prints goes to a file that is kept when the server fails.
class ServerProcess {
 public:
  /// Throws Error(kUsage) when there is no such program.
  explicit ServerProcess(const LaunchCommand& command);
  ~ServerProcess();

  /// Waits until GET `url` answers with status 200. Throws Error(kDevice), with the end of what the
  /// server printed, when it ends or takes longer than `limit`.
  void wait_until_healthy(const std::string& url, std::chrono::seconds limit);

 private:
  struct Child;
  [[noreturn]] void fail(const std::string& what);

  std::filesystem::path log_;
  bool keep_log_ = false;
  std::unique_ptr<Child> child_;
};

}  // namespace moebench
