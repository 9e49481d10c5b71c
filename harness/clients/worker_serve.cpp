#include "harness/clients/worker_serve.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "engine/base/check.h"
#include "harness/clients/worker_protocol.h"
#include "harness/environment/build.h"
#include "harness/environment/environment.h"

namespace moebench {

namespace {

using Clock = std::chrono::steady_clock;

// A request that arrives while the engine is busy waits at most this long for being handed on; the
// engine takes new ones between two forward passes anyway.
constexpr std::chrono::milliseconds kLookForRequests{5};
// Events that end no request are told this often: the harness waits for none of them.
constexpr std::chrono::milliseconds kTellEvery{50};
constexpr std::chrono::seconds kTellTotalsEvery{1};

constexpr int kBrokenProtocol = 2, kEngineFailed = 3;

/// The harness went away.
struct InputEnded {};
struct BrokenProtocol {
  std::string what;
};

class Input {
 public:
  explicit Input(int descriptor) : descriptor_(descriptor) {}

  /// Waits for the next message. Throws InputEnded, BrokenProtocol.
  WorkerMessage next() {
    while (true) {
      auto frame = reader_.next();
      if (!frame) throw BrokenProtocol{frame.error()};
      if (*frame) {
        auto message = decode_message(**frame);
        if (!message) throw BrokenProtocol{message.error()};
        return std::move(*message);
      }
      std::array<char, 65536> bytes;
      const ssize_t got = ::read(descriptor_, bytes.data(), bytes.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) throw InputEnded{};
      reader_.add({bytes.data(), static_cast<std::size_t>(got)});
    }
  }

 private:
  int descriptor_;
  FrameReader reader_;
};

/// Throws InputEnded when nobody reads.
void send(int output, const WorkerMessage& message) {
  const std::string frame = encode_frame(message);
  std::string_view left = frame;
  while (!left.empty()) {
    const ssize_t written = ::write(output, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw InputEnded{};
    left.remove_prefix(static_cast<std::size_t>(written));
  }
}

void send_failure(int output, ErrorCode code, const std::string& what,
                  const std::string& remedy = {}) {
  try {
    send(output, FailureMessage{code, what, remedy});
  } catch (const InputEnded&) {
    // Nobody is left to be told.
  }
}

int complain(const BrokenProtocol& broken) {
  std::fprintf(stderr, "worker: the harness sent no message: %s\n", broken.what.c_str());
  return kBrokenProtocol;
}

/// What the reading thread has received and the serving thread has not taken yet.
class Inbox {
 public:
  void put(WorkerMessage message) {
    {
      const std::lock_guard lock(mutex_);
      messages_.push_back(std::move(message));
    }
    arrived_.notify_one();
  }
  /// All there is; waits for the first when `wait`.
  std::deque<WorkerMessage> take(bool wait) {
    std::unique_lock lock(mutex_);
    if (wait) arrived_.wait(lock, [this] { return !messages_.empty(); });
    return std::exchange(messages_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<WorkerMessage> messages_;
};

/// Serves until something throws.
[[noreturn]] void serve(EngineClient& client, Inbox& inbox, int output) {
  std::int64_t in_flight = 0;
  EventsMessage news;
  Clock::time_point last_told = Clock::now(), last_totals = last_told;
  while (true) {
    for (WorkerMessage& message : inbox.take(in_flight == 0)) {
      if (auto* submit = std::get_if<SubmitMessage>(&message)) {
        client.submit(std::move(submit->request));
        ++in_flight;
      } else if (const auto* cancel = std::get_if<CancelMessage>(&message)) {
        client.cancel(cancel->request_id);
      } else {
        throw BrokenProtocol{"a message out of turn"};
      }
    }
    std::int64_t ended = 0;
    for (GenerationEvent& event : client.next_events(kLookForRequests)) {
      if (event.finish != FinishReason::kNone) ++ended;
      news.events.push_back(std::move(event));
    }
    in_flight -= ended;
    for (const StepRecord& step : client.take_step_records()) news.steps.push_back(step);

    const auto now = Clock::now();
    const bool went_idle = ended > 0 && in_flight == 0;
    if (went_idle || now - last_totals >= kTellTotalsEvery) {
      news.expert_token_counts = client.expert_token_counts();
      news.peak_memory_bytes = peak_memory_bytes();
      last_totals = now;
    }
    const bool any_news = !news.events.empty() || !news.steps.empty();
    if (ended > 0 || (any_news && now - last_told >= kTellEvery)) {
      send(output, news);
      news = {};
      last_told = now;
    }
  }
}

/// Ends the process: the reading thread and the engine's may be anywhere.
[[noreturn]] void serve_until_the_end(EngineClient& client, Input from_harness, int output) {
  Inbox inbox;
  std::thread([&from_harness, &inbox] {
    try {
      while (true) inbox.put(from_harness.next());
    } catch (const InputEnded&) {
      std::_Exit(0);  // whatever the engine is doing, nobody waits for it
    } catch (const BrokenProtocol& broken) {
      std::_Exit(complain(broken));
    }
  }).detach();
  try {
    serve(client, inbox, output);
  } catch (const InputEnded&) {
    std::_Exit(0);
  } catch (const BrokenProtocol& broken) {
    std::_Exit(complain(broken));
  } catch (const Error& error) {
    send_failure(output, error.code(), error.what(), error.remedy());
  } catch (const std::exception& error) {
    send_failure(output, ErrorCode::kDevice, error.what());
  }
  std::_Exit(kEngineFailed);
}

}  // namespace

int serve_worker(int input, int output,
                 const std::function<std::unique_ptr<EngineClient>(const EngineOptions&)>& load) {
  // Ctrl-C and a cluster's "terminate" reach the whole process group; the harness decides, and this
  // process ends with its input.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGTERM, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);

  try {
    const BuildInfo& build = build_info();
    send(output, HelloMessage{kWorkerProtocolVersion, build.version + " " + build.git_commit});
    Input from_harness(input);
    const WorkerMessage first = from_harness.next();
    const auto* order = std::get_if<LoadMessage>(&first);
    if (order == nullptr) throw BrokenProtocol{"the first one says not what to load"};
    const std::unique_ptr<EngineClient> client = load(order->options);
    send(output, ReadyMessage{client->info()});
    serve_until_the_end(*client, std::move(from_harness), output);
  } catch (const InputEnded&) {
    return 0;
  } catch (const BrokenProtocol& broken) {
    return complain(broken);
  } catch (const Error& error) {
    send_failure(output, error.code(), error.what(), error.remedy());
  } catch (const std::exception& error) {  // out of memory, for one
    send_failure(output, ErrorCode::kDevice, error.what());
  }
  return kEngineFailed;
}

int serve_worker_on_stdio(
    const std::function<std::unique_ptr<EngineClient>(const EngineOptions&)>& load) {
  const int output = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  MOEBENCH_CHECK(output >= 0 && ::dup2(STDERR_FILENO, STDOUT_FILENO) >= 0);
  return serve_worker(STDIN_FILENO, output, load);
}

}  // namespace moebench
