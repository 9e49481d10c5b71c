#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moebench {

/// One start of another program.
struct ProgramCall {
  std::string name;  ///< for messages: "the candidate (build/moebench)"
  std::filesystem::path program;
  std::vector<std::string> arguments;  ///< as they are: no shell reads them
  std::filesystem::path output_file;   ///< stdout; empty: thrown away
  std::filesystem::path error_file;    ///< stderr
  double timeout_seconds = 60;         ///< then it counts as hanging
  double budget_seconds = 1e9;         ///< then its result isn't wanted any more
  std::vector<int> cpus;               ///< pinned to these where the OS allows; empty: anywhere
};

struct ProgramResult {
  double wall_seconds = 0;
  double cpu_seconds = 0;  ///< user and system time, with the children that it waited for
};

/// Runs it in a process group of its own, waits, and kills the whole group when the time is over or
/// the user interrupts. Throws BudgetOver, Error(kUsage) when it can't be started; Error(kIo), with
/// the end of its stderr, when it exits with another code than 0, dies of a signal or hangs;
/// Interrupted. One call at a time (the CPU time is that of all children waited for meanwhile).
ProgramResult run_program(const ProgramCall& call);

/// The user's Ctrl-C, while a program ran.
struct Interrupted {};
/// The call's budget_seconds were over before it was done.
struct BudgetOver {};

/// The last `count` CPUs of this process' affinity mask; empty where it can't be read or holds no
/// more than `count` (then there is nothing to choose).
std::vector<int> cpus_to_pin(int count);

/// A new folder for what a gate writes; removed with its contents, unless `keep` names one.
class ScratchFolder {
 public:
  /// Throws Error(kIo).
  explicit ScratchFolder(const std::filesystem::path& keep);
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  bool remove_ = true;
};

}  // namespace moebench
