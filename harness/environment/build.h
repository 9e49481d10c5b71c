#pragma once

#include <string>

namespace moebench {

/// What this program was built from; the same for every run of one binary.
struct BuildInfo {
  std::string version;     ///< of the project, "0.1.0"
  std::string git_commit;  ///< 12 hex digits, "-dirty" appended for uncommitted changes; "unknown"
  std::string compiler;    ///< "GNU 12.2.0"
  std::string flags;       ///< of the C++ compiler, this build type
  std::string build_type;  ///< "Release"
};

const BuildInfo& build_info();

}  // namespace moebench
