#include "harness/launch/server_process.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/group.hpp>
#include <boost/process/io.hpp>
#include <boost/process/search_path.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "harness/clients/openai_transfers.h"
#include "harness/processes/child.h"

namespace moebench {

namespace {

namespace process = boost::process;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kTermLimit{10};
constexpr std::chrono::milliseconds kProbePause{100};
constexpr std::size_t kTailBytes = 4000;  // read back of what it printed; last_lines() takes less

// A file without a name: it is gone with its last descriptor, however this process ends.
int open_nameless() {
  std::error_code error;
  std::string pattern =
      (std::filesystem::temp_directory_path(error) / "moebench-launch-XXXXXX").string();
  const int file = error ? -1 : ::mkostemp(pattern.data(), O_APPEND | O_CLOEXEC);
  if (file < 0) {
    throw Error(ErrorCode::kIo,
                pattern + ": cannot be made: " + (error ? error.message() : std::strerror(errno)),
                "TMPDIR with a folder that you may write");
  }
  ::unlink(pattern.c_str());
  return file;
}

int open_log(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  const int file = error ? -1 : ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file < 0) {
    throw Error(
        ErrorCode::kIo,
        path.string() + ": cannot be made: " + (error ? error.message() : std::strerror(errno)),
        "-o DIR with a folder that you may write");
  }
  return file;
}

}  // namespace

std::uint16_t free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool found =
      probe >= 0 && ::bind(probe, generic, size) == 0 && ::getsockname(probe, generic, &size) == 0;
  if (probe >= 0) ::close(probe);
  if (!found) throw Error(ErrorCode::kIo, "no free port on 127.0.0.1");
  return ntohs(address.sin_port);
}

struct ServerProcess::Child {
  process::group group;
  process::child child;

  void signal_group(int number) const { ::kill(-group.native_handle(), number); }
};

/// What the server prints. Appended: a run that is resumed starts its server again.
struct ServerProcess::Log {
  explicit Log(const std::filesystem::path& path)
      : file(::fdopen(path.empty() ? open_nameless() : open_log(path), "r+"), &std::fclose) {
    MOEBENCH_CHECK(file != nullptr);
    begin = ::lseek(::fileno(file.get()), 0, SEEK_END);
  }

  /// The last of what was printed since it was opened.
  std::string tail() const {
    std::array<char, kTailBytes> bytes;
    const int descriptor = ::fileno(file.get());
    const off_t size = ::lseek(descriptor, 0, SEEK_END);
    const off_t from = std::max(begin, size - static_cast<off_t>(bytes.size()));
    const ssize_t got = ::pread(descriptor, bytes.data(), bytes.size(), from);
    return got > 0 ? std::string(bytes.data(), static_cast<std::size_t>(got)) : std::string();
  }

  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file;
  off_t begin = 0;
};

ServerProcess::ServerProcess(const LaunchCommand& command, std::filesystem::path log)
    : log_path_(std::move(log)) {
  const std::string& name = command.arguments.front();
  const auto program = name.find('/') != std::string::npos ? boost::filesystem::path(name)
                                                           : process::search_path(name);
  const auto cannot_start = [&](const std::string& why) {
    throw Error(ErrorCode::kUsage, "--launch: '" + name + "' cannot be started" + why,
                "give its path");
  };
  // Before its log, so that a misspelt name leaves nothing behind.
  if (program.empty()) cannot_start(" (no such program on PATH)");
  if (::access(program.c_str(), X_OK) != 0) cannot_start(std::string(": ") + std::strerror(errno));
  log_ = std::make_unique<Log>(log_path_);
  std::error_code error;
  child_ = std::make_unique<Child>();
  const std::vector<std::string> rest(command.arguments.begin() + 1, command.arguments.end());
  const pid_t parent = ::getpid();
  child_->child = process::child(
      process::exe = program, process::args = rest,
      process::std_in<process::null, (process::std_out & process::std_err)> log_->file.get(),
      child_->group, error, process::extend::on_exec_setup = [parent](auto&) { die_with(parent); });
  if (error) cannot_start(": " + error.message());
}

ServerProcess::~ServerProcess() {
  std::error_code error;
  if (child_->child.valid()) {
    child_->signal_group(SIGTERM);
    const auto give_up = Clock::now() + kTermLimit;
    while (child_->child.running(error) && Clock::now() < give_up) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    child_->signal_group(SIGKILL);  // what the child has started, and left behind, too
    child_->child.wait(error);
  }
}

void ServerProcess::fail(const std::string& what) {
  const std::string said = last_lines(log_->tail());
  throw Error(
      ErrorCode::kDevice,
      "--launch: " + what + (said.empty() ? "; it printed nothing" : "; its last words:\n" + said),
      log_path_.empty() ? "start it by hand to see more, then --base-url instead of --launch"
                        : "all that it printed is in " + log_path_.string());
}

void ServerProcess::wait_until_healthy(const std::string& url, std::chrono::seconds limit) {
  const auto give_up = Clock::now() + limit;
  HttpTransfers transfers;
  for (std::uint64_t id = 0;; ++id) {
    std::error_code error;
    if (!child_->child.running(error)) {
      fail("the server ended with status " + std::to_string(child_->child.exit_code()));
    }
    if (Clock::now() >= give_up) {
      fail("the server is not ready after " + std::to_string(limit.count()) + " s");
    }
    HttpCall call;
    call.url = url;
    call.limit = std::chrono::seconds(5);
    call.on_data = [](int, std::string_view) { return true; };
    transfers.start(id, std::move(call));
    std::vector<HttpEnd> ends;
    while (ends.empty()) ends = transfers.poll(kProbePause);
    if (ends.front().status == 200) return;
    std::this_thread::sleep_for(kProbePause);
  }
}

}  // namespace moebench
