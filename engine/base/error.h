#pragma once

#include <stdexcept>
#include <string>

namespace moebench {

/// What ended a run; the program maps it to its exit code (see README.md, "Exit codes").
enum class ErrorCode {
  kUsage,          ///< the command line or a settings file asks for something impossible: exit 2
  kConfiguration,  ///< a task, catalogue, baseline or record that cannot be used as given: exit 2
  kBadModel,       ///< a checkpoint, config or tokenizer that is broken or unknown: exit 2
  kIo,             ///< the disk, a file's permissions, the network: exit 3
  kDevice,         ///< a device that failed or lacks the memory: exit 3
  kInternal,       ///< a defect of this program: exit 3
};

/// Ends the run. The message names the file and the value; `remedy` says what the user can do.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message, std::string remedy = {})
      : std::runtime_error(message), code_(code), remedy_(std::move(remedy)) {}

  ErrorCode code() const noexcept { return code_; }
  const std::string& remedy() const noexcept { return remedy_; }

 private:
  ErrorCode code_;
  std::string remedy_;
};

}  // namespace moebench
