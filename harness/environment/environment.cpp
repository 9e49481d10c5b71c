#include "harness/environment/environment.h"

#include <sched.h>
#include <sys/utsname.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "harness/environment/build.h"

namespace moebench {

namespace {

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The value of "key<separator>value", spaces, tabs and quotes around it removed.
std::string value_after(const std::string& line, char separator) {
  const std::size_t at = line.find(separator);
  if (at == std::string::npos) return {};
  const std::size_t begin = line.find_first_not_of(" \t\"", at + 1);
  const std::size_t end = line.find_last_not_of(" \t\"");
  return begin == std::string::npos || end < begin ? "" : line.substr(begin, end - begin + 1);
}

std::int64_t usable_logical_cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return std::thread::hardware_concurrency();
  return CPU_COUNT(&set);
}

struct CpuInfo {
  std::string model;
  std::int64_t physical_cores = 0;
  bool virtual_machine = false;
};

CpuInfo read_cpuinfo() {
  CpuInfo info;
  std::ifstream file("/proc/cpuinfo");
  std::set<std::pair<std::string, std::string>> cores;
  std::string line, package;
  while (std::getline(file, line)) {
    if (line.starts_with("model name") && info.model.empty()) info.model = value_after(line, ':');
    if (line.starts_with("physical id")) package = value_after(line, ':');
    if (line.starts_with("core id")) cores.insert({package, value_after(line, ':')});
    if (line.starts_with("flags") && line.find(" hypervisor") != std::string::npos) {
      info.virtual_machine = true;
    }
  }
  info.physical_cores = static_cast<std::int64_t>(cores.size());
  return info;
}

std::int64_t read_memory_bytes() {
  std::ifstream file("/proc/meminfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("MemTotal:")) return std::strtoll(line.c_str() + 9, nullptr, 10) * 1024;
  }
  return 0;
}

std::string read_os() {
  std::ifstream file("/etc/os-release");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("PRETTY_NAME=")) return value_after(line, '=');
  }
  return {};
}

std::vector<std::string> disturbances(const CpuInfo& cpu, std::int64_t logical_cores) {
  std::vector<std::string> notes;
  if (cpu.virtual_machine) notes.push_back("a virtual machine: other guests may share its cores");
  double load[1];
  if (getloadavg(load, 1) == 1 && load[0] > 0.25 * static_cast<double>(logical_cores)) {
    char text[96];
    std::snprintf(text, sizeof text, "load average %.2f on %lld cores when the run began", load[0],
                  static_cast<long long>(logical_cores));
    notes.push_back(text);
  }
  const std::string quota = first_line("/sys/fs/cgroup/cpu.max");
  if (!quota.empty() && !quota.starts_with("max")) {
    notes.push_back("cgroup CPU quota " + quota + " (microseconds a period)");
  }
  const std::string memory_limit = first_line("/sys/fs/cgroup/memory.max");
  if (!memory_limit.empty() && memory_limit != "max") {
    notes.push_back("cgroup memory limit " + memory_limit + " bytes");
  }
  return notes;
}

}  // namespace

EnvironmentRecord read_environment() {
  EnvironmentRecord record;
  const CpuInfo cpu = read_cpuinfo();
  record.cpu = cpu.model;
  record.logical_cores = usable_logical_cores();
  record.physical_cores =
      cpu.physical_cores > 0 ? std::min(cpu.physical_cores, record.logical_cores) : 0;
  record.memory_bytes = read_memory_bytes();
  record.os = read_os();
  utsname names{};
  if (uname(&names) == 0) record.kernel = std::string(names.sysname) + " " + names.release;
  record.governor = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  record.notes = disturbances(cpu, record.logical_cores);
  return record;
}

BuildRecord build_record() {
  const BuildInfo& build = build_info();
  constexpr std::string_view kDirty = "-dirty";
  BuildRecord record;
  record.version = build.version;
  record.commit = build.git_commit;
  record.compiler = build.compiler;
  record.build_type = build.build_type;
  record.flags = build.flags;
  if (record.commit.ends_with(kDirty)) {
    record.modified_tree = true;
    record.commit.resize(record.commit.size() - kDirty.size());
  }
  return record;
}

std::int64_t peak_memory_bytes() {
  std::ifstream file("/proc/self/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("VmHWM:")) return std::strtoll(line.c_str() + 6, nullptr, 10) * 1024;
  }
  return 0;
}

double process_cpu_seconds() {
  timespec time{};
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

double measure_memory_bandwidth(int threads) {
  constexpr std::size_t kBytesPerThread = std::size_t{128} << 20;
  constexpr int kPasses = 5;
  using Word = std::uint64_t;
  const std::size_t words = kBytesPerThread / sizeof(Word);
  std::vector<std::vector<Word>> blocks(static_cast<std::size_t>(std::max(1, threads)));
  std::atomic<Word> sink = 0;  // keeps the reads
  double best_seconds = 0;
  for (int pass = 0; pass <= kPasses; ++pass) {  // the first pass touches the pages
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> readers;
    for (std::vector<Word>& block : blocks) {
      readers.emplace_back([&block, &sink, words] {
        if (block.empty()) block.assign(words, 1);
        // Eight independent sums: one would wait for its own additions.
        Word sums[8] = {};
        for (std::size_t i = 0; i < words; i += 8) {
          for (std::size_t lane = 0; lane < 8; ++lane) sums[lane] += block[i + lane];
        }
        sink += std::accumulate(sums, sums + 8, Word{0});
      });
    }
    for (std::thread& reader : readers) reader.join();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (pass > 0 && (best_seconds == 0 || seconds < best_seconds)) best_seconds = seconds;
  }
  const double bytes = static_cast<double>(blocks.size() * kBytesPerThread);
  blocks = {};
  std::ofstream("/proc/self/clear_refs") << "5";  // peak_memory_bytes() must not count these blocks
  return bytes / best_seconds;
}

}  // namespace moebench
