#include "harness/gate/program.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/group.hpp>
#include <boost/process/io.hpp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "engine/base/error.h"
#include "harness/processes/child.h"
#include "harness/run/interrupt.h"

namespace moebench {
namespace {

namespace bp = boost::process;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double children_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// For the end of an error's message.
std::string stderr_tail(const std::filesystem::path& file) {
  const std::string said = last_lines_of(file, "    ");
  return said.empty() ? "\n  (its stderr is empty)" : "\n  its stderr ends with:\n    " + said;
}

}  // namespace

ProgramResult run_program(const ProgramCall& call) {
  // Boost.Process reports a failed exec late and without its path; this one is the usual mistake.
  if (::access(call.program.c_str(), X_OK) != 0 || std::filesystem::is_directory(call.program)) {
    throw Error(ErrorCode::kUsage,
                call.name + ": " + call.program.string() + " is no program that can be run",
                "give the path of a built moebench");
  }
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  for (const int cpu : call.cpus) CPU_SET(static_cast<unsigned>(cpu), &cpus);
  const bool pin = !call.cpus.empty();
  const auto set_up = [cpus, pin, parent = ::getpid()](auto&) {
    die_with(parent);
    if (pin) sched_setaffinity(0, sizeof cpus, &cpus);  // where the OS refuses, it runs anywhere
  };

  const double cpu_before = children_cpu_seconds();
  const Clock::time_point begin = Clock::now();
  bp::group group;
  bp::child child;
  try {
    const auto start = [&](auto&& output) {
      return bp::child(bp::exe = call.program.string(), bp::args = call.arguments,
                       bp::std_in<bp::null, bp::std_out> output,
                       bp::std_err > call.error_file.string(), bp::extend::on_exec_setup = set_up,
                       group);
    };
    child = call.output_file.empty() ? start(bp::null) : start(call.output_file.string());
  } catch (const bp::process_error& error) {
    throw Error(ErrorCode::kUsage, call.name + " can't be started: " + error.what(),
                "give the path of a built moebench");
  }
  const auto kill_all = [&] {
    std::error_code ignored;
    ::kill(-child.id(), SIGKILL);
    child.wait(ignored);
  };
  std::error_code error;
  while (child.running(error)) {
    if (interrupted()) {
      kill_all();
      throw Interrupted{};
    }
    if (seconds_since(begin) > call.budget_seconds) {
      kill_all();
      throw BudgetOver{};
    }
    if (seconds_since(begin) > call.timeout_seconds) {
      kill_all();
      throw Error(ErrorCode::kIo,
                  call.name + " hangs: not done after " +
                      std::to_string(static_cast<int>(call.timeout_seconds)) + " s, killed" +
                      stderr_tail(call.error_file),
                  "run it by hand; or a longer \"run_timeout_seconds\" in the gate file");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  child.wait(error);
  ProgramResult result;
  result.wall_seconds = seconds_since(begin);
  result.cpu_seconds = children_cpu_seconds() - cpu_before;
  const int status = child.native_exit_code();
  if (WIFSIGNALED(status)) {
    throw Error(ErrorCode::kIo,
                call.name + " crashed: " + exit_text(status) + stderr_tail(call.error_file),
                "run it by hand: " + call.program.string());
  }
  if (child.exit_code() != 0) {
    throw Error(ErrorCode::kIo,
                call.name + " failed with " + exit_text(status) + stderr_tail(call.error_file),
                "run it by hand: " + call.program.string());
  }
  return result;
}

std::vector<int> cpus_to_pin(int count) {
  cpu_set_t set;
  if (count < 1 || sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) <= count)
    return {};
  std::vector<int> cpus;
  for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && static_cast<int>(cpus.size()) < count; --cpu)
    if (CPU_ISSET(static_cast<unsigned>(cpu), &set)) cpus.push_back(cpu);
  return cpus;
}

ScratchFolder::ScratchFolder(const std::filesystem::path& keep) {
  std::error_code error;
  if (!keep.empty()) {
    remove_ = false;
    path_ = keep;
    if (std::filesystem::exists(keep, error) && !std::filesystem::is_empty(keep, error))
      throw Error(ErrorCode::kUsage, keep.string() + " exists and is not empty",
                  "a new folder for --keep");
    std::filesystem::create_directories(keep, error);
    if (error)
      throw Error(ErrorCode::kIo, "can't create " + keep.string() + ": " + error.message());
    return;
  }
  std::string pattern =
      (std::filesystem::temp_directory_path(error) / "moebench-gate-XXXXXX").string();
  if (error || mkdtemp(pattern.data()) == nullptr)
    throw Error(ErrorCode::kIo,
                "can't create a folder like " + pattern + ": " + std::strerror(errno));
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (remove_) std::filesystem::remove_all(path_, ignored);
}

}  // namespace moebench
