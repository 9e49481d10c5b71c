#include "harness/launch/server_process.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/group.hpp>
#include <boost/process/io.hpp>
#include <boost/process/search_path.hpp>
#include <cstdio>
#include <thread>

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

std::filesystem::path new_log() {
  std::string pattern =
      (std::filesystem::temp_directory_path() / "moebench-launch-XXXXXX").string();
  const int file = mkstemp(pattern.data());
  if (file < 0) throw Error(ErrorCode::kIo, pattern + ": cannot be made");
  ::close(file);
  return pattern;
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

ServerProcess::ServerProcess(const LaunchCommand& command) : log_(new_log()) {
  const std::string& name = command.arguments.front();
  const auto program = name.find('/') != std::string::npos ? boost::filesystem::path(name)
                                                           : process::search_path(name);
  std::error_code error;
  child_ = std::make_unique<Child>();
  const std::vector<std::string> rest(command.arguments.begin() + 1, command.arguments.end());
  const pid_t parent = ::getpid();
  if (!program.empty()) {
    child_->child = process::child(
        process::exe = program, process::args = rest,
        process::std_in<process::null, (process::std_out & process::std_err)>
            boost::filesystem::path(log_.string()),
        child_->group, error,
        process::extend::on_exec_setup = [parent](auto&) { die_with(parent); });
  }
  if (program.empty() || error) {
    std::filesystem::remove(log_);
    throw Error(ErrorCode::kUsage,
                "--launch: '" + name + "' cannot be started" +
                    (error ? ": " + error.message() : " (no such program on PATH)"),
                "give its path");
  }
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
  if (!keep_log_) std::filesystem::remove(log_, error);
}

void ServerProcess::fail(const std::string& what) {
  keep_log_ = true;
  throw Error(ErrorCode::kDevice, "--launch: " + what + "; its last words:\n" + last_lines_of(log_),
              "all it printed is in " + log_.string());
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
