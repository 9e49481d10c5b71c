#include "harness/clients/worker_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exception.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/posix.hpp>
#include <cerrno>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "harness/processes/child.h"

namespace moebench {

namespace {

namespace process = boost::process;

constexpr std::size_t kStderrBytes = 2000;  // kept of what a worker wrote there

/// A descriptor of ours that no other child inherits.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Descriptor() { close(); }
  int get() const { return value_; }
  bool open() const { return value_ >= 0; }
  void close() {
    if (value_ >= 0) ::close(std::exchange(value_, -1));
  }
  void set_nonblocking() const { ::fcntl(value_, F_SETFL, O_NONBLOCK); }

 private:
  int value_ = -1;
};

struct Pipe {
  Descriptor read, write;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw Error(ErrorCode::kIo, std::string("no pipe for a worker: ") + std::strerror(errno));
  }
  Pipe pipe{Descriptor(ends[0]), Descriptor(ends[1])};
  // Out of the way of 0, 1 and 2, which the child's ends are copied to.
  for (Descriptor* end : {&pipe.read, &pipe.write}) {
    if (end->get() <= STDERR_FILENO)
      *end = Descriptor(::fcntl(end->get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  }
  return pipe;
}

/// Reads what is there, up to a bound. False: the end of the stream.
template <class F>
bool read_available(const Descriptor& descriptor, F&& take) {
  constexpr int kMostReads = 256;  // a flood must not keep us from everything else
  std::array<char, 65536> bytes;
  for (int i = 0; i < kMostReads; ++i) {
    const ssize_t got = ::read(descriptor.get(), bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    if (got == 0) return false;
    take(std::string_view(bytes.data(), static_cast<std::size_t>(got)));
  }
  return true;
}

/// How the process ended, once it has; nothing where the system can't end it (a hung device).
std::optional<int> wait_for_exit(pid_t id) {
  constexpr std::chrono::seconds kLimit{10};
  const auto give_up = std::chrono::steady_clock::now() + kLimit;
  int status = 0;
  while (::waitpid(id, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > give_up) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return status;
}

std::string describe_exit(int status) {
  if (!WIFSIGNALED(status)) return "ended with " + exit_text(status);
  return "was killed by " + exit_text(status) +
         (WTERMSIG(status) == SIGKILL ? ", as the system does when memory runs out" : "");
}

}  // namespace

struct WorkerProcess::State {
  Descriptor input, output, errors;  // ours: written, read, read
  process::child child;
  std::string unsent;  // what the pipe did not take yet
  FrameReader reader;
  std::vector<WorkerMessage> messages;
  std::string stderr_tail;
  std::string broken;  // what was wrong with its output, or how it ended
  bool ended = false;

  void write() {
    std::size_t done = 0;
    while (done < unsent.size()) {
      const ssize_t written = ::write(input.get(), unsent.data() + done, unsent.size() - done);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) break;  // full, or closed: then its output tells
      done += static_cast<std::size_t>(written);
    }
    unsent.erase(0, done);
  }

  void read() {
    if (ended) return;
    bool open = true;
    open = read_available(output, [&](std::string_view bytes) {
      reader.add(bytes);
      take_frames();
    });
    if (!open) ended = true;
  }

  void take_frames() {
    while (broken.empty()) {
      auto frame = reader.next();
      if (!frame) {
        broken = "sent " + frame.error();
      } else if (!*frame) {
        return;
      } else if (auto message = decode_message(**frame)) {
        messages.push_back(std::move(*message));
      } else {
        broken = "sent no message: " + message.error();
      }
    }
    ended = true;
  }

  void read_errors() {
    const bool open = read_available(errors, [&](std::string_view bytes) {
      stderr_tail.append(bytes);
      if (stderr_tail.size() > 2 * kStderrBytes)
        stderr_tail.erase(0, stderr_tail.size() - kStderrBytes);
    });
    if (!open) errors.close();
  }
};

WorkerProcess::WorkerProcess(const std::vector<std::string>& command)
    : state_(std::make_unique<State>()) {
  // Boost would leave the fork that could not become the program unreaped.
  if (::access(command.front().c_str(), X_OK) != 0) {
    throw Error(ErrorCode::kIo,
                command.front() + ": can't be started as a worker: " + std::strerror(errno));
  }
  ::signal(SIGPIPE, SIG_IGN);  // writing to one that has died is no reason to die, too
  Pipe input = make_pipe(), output = make_pipe(), errors = make_pipe();
  const std::vector<std::string> arguments(command.begin() + 1, command.end());
  const auto die_with_parent = [parent = ::getpid()](auto&) { die_with(parent); };
  try {
    state_->child = process::child(process::exe = command.front(), process::args = arguments,
                                   process::posix::fd.bind(STDIN_FILENO, input.read.get()),
                                   process::posix::fd.bind(STDOUT_FILENO, output.write.get()),
                                   process::posix::fd.bind(STDERR_FILENO, errors.write.get()),
                                   process::extend::on_exec_setup = die_with_parent);
  } catch (const process::process_error& error) {
    throw Error(ErrorCode::kIo,
                command.front() + ": can't be started as a worker: " + error.code().message());
  }
  state_->input = std::move(input.write);
  state_->output = std::move(output.read);
  state_->errors = std::move(errors.read);
  for (const Descriptor* end : {&state_->input, &state_->output, &state_->errors})
    end->set_nonblocking();
}

WorkerProcess::~WorkerProcess() { end(); }

void WorkerProcess::send(const WorkerMessage& message) {
  state_->unsent += encode_frame(message);
  state_->write();
}

std::vector<WorkerMessage> WorkerProcess::take_messages() {
  return std::exchange(state_->messages, {});
}

bool WorkerProcess::ended() const { return state_->ended; }

int WorkerProcess::process_id() const { return state_->child.id(); }

std::string WorkerProcess::end() {
  State& s = *state_;
  s.input.close();
  s.ended = true;
  if (s.child.valid()) {
    // One that is dead already is not harmed: how it ended was settled before its pipe closed.
    ::kill(s.child.id(), SIGKILL);
    const std::optional<int> status = wait_for_exit(s.child.id());
    s.child.detach();
    if (s.broken.empty()) s.broken = status ? describe_exit(*status) : "can't be killed";
  }
  if (s.errors.open()) s.read_errors();
  const std::string said = last_lines(s.stderr_tail);
  return s.broken + (said.empty() ? "" : "; it wrote: " + said);
}

void WorkerProcess::wait(std::span<WorkerProcess* const> workers,
                         std::chrono::milliseconds timeout) {
  std::vector<pollfd> polled;
  for (const WorkerProcess* worker : workers) {
    const State& s = *worker->state_;
    if (s.ended || !s.messages.empty()) timeout = std::chrono::milliseconds(0);
    // poll() skips a negative descriptor.
    polled.push_back({s.ended ? -1 : s.output.get(), POLLIN, 0});
    polled.push_back({s.unsent.empty() || s.ended ? -1 : s.input.get(), POLLOUT, 0});
    polled.push_back({s.errors.open() ? s.errors.get() : -1, POLLIN, 0});
  }
  const int ready = ::poll(polled.data(), polled.size(), static_cast<int>(timeout.count()));
  if (ready <= 0) return;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    State& s = *workers[i]->state_;
    if (polled[3 * i + 2].revents != 0) s.read_errors();
    if (polled[3 * i + 1].revents != 0) s.write();
    if (polled[3 * i].revents != 0) s.read();
  }
}

}  // namespace moebench
