#include "engine/runtime/available_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace moebench {
namespace {

constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

/// The number behind `key` in a file of "key number" lines.
std::optional<std::int64_t> value_of(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  std::string word;
  while (file >> word) {
    std::int64_t value = 0;
    if (word == key) return file >> value ? std::optional(value) : std::nullopt;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return std::nullopt;
}

std::optional<std::int64_t> number_in(const std::string& path) {
  std::ifstream file(path);
  std::int64_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;  // "max" is no number
}

/// What one cgroup leaves; kUnlimited when it sets no limit.
std::int64_t left_in(const std::string& folder, const char* limit, const char* usage) {
  const auto most = number_in(folder + "/" + limit), used = number_in(folder + "/" + usage);
  if (!most || !used) return kUnlimited;
  const std::int64_t droppable = value_of(folder + "/memory.stat", "inactive_file").value_or(0);
  return std::max<std::int64_t>(0, *most - *used + droppable);
}

/// The least of what this process's cgroup and all those above it leave.
std::int64_t left_in_cgroups() {
  std::int64_t left = kUnlimited;
  std::ifstream memberships("/proc/self/cgroup");  // lines "id:controllers:path"
  for (std::string line; std::getline(memberships, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool v2 = controllers.empty();
    if (!v2 && controllers.find("memory") == std::string::npos) continue;
    const std::string root = v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    for (std::string path = line.substr(second + 1);; path.erase(path.rfind('/'))) {
      if (path == "/") path.clear();
      left = std::min(left,
                      v2 ? left_in(root + path, "memory.max", "memory.current")
                         : left_in(root + path, "memory.limit_in_bytes", "memory.usage_in_bytes"));
      if (path.find('/') == std::string::npos) break;
    }
  }
  return left;
}

}  // namespace

std::int64_t available_memory_bytes() {
  const std::int64_t system_kib = value_of("/proc/meminfo", "MemAvailable:").value_or(0);
  return std::min(system_kib * 1024, left_in_cgroups());
}

std::int64_t resident_anonymous_bytes() {
  return value_of("/proc/self/status", "RssAnon:").value_or(0) * 1024;
}

}  // namespace moebench
