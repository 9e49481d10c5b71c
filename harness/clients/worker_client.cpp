#include "harness/clients/worker_client.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "engine/base/check.h"
#include "engine/base/error.h"

namespace moebench {

namespace {

// A greeting takes milliseconds; loading a large model from a slow disk takes long.
constexpr std::chrono::seconds kGreetingLimit{60};
constexpr std::chrono::hours kLoadLimit{2};
constexpr std::chrono::milliseconds kLongestWait{100};
// Before a worker that keeps dying is started again: doubled with each death, up to 16 times this.
constexpr std::chrono::milliseconds kRestartPause{250};
constexpr int kDeathsAlone = 2;  // what makes a request guilty

constexpr const char* kRemedy =
    "a smaller --batch-size or --context if memory ran out; otherwise run without --workers to see "
    "the fault itself";

void add_counts(std::vector<std::int64_t>& total, const std::vector<std::int64_t>& more) {
  if (total.empty()) total.assign(more.size(), 0);
  for (std::size_t i = 0; i < more.size(); ++i) total[i] += more[i];
}

}  // namespace

WorkerSettings own_workers(const EngineOptions& options, std::int64_t n_workers) {
  constexpr std::string_view kCuda = "cuda:";
  MOEBENCH_CHECK(n_workers >= 1);
  const bool on_gpus = options.device.starts_with(kCuda);
  if (n_workers > 1 && !on_gpus && options.threads == 0) {
    throw Error(ErrorCode::kUsage,
                "--workers " + std::to_string(n_workers) + ": each would take all cores",
                "--threads K, K for each worker");
  }
  WorkerSettings settings;
  // The file that this very process runs, even if another build has taken its place by now.
  settings.command = {"/proc/self/exe", "worker"};
  settings.engines.assign(static_cast<std::size_t>(n_workers), options);
  if (!on_gpus || n_workers == 1) return settings;
  int first = 0;
  const std::string_view number = std::string_view(options.device).substr(kCuda.size());
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), first);
  if (error != std::errc() || end != number.data() + number.size() || first < 0) {
    throw Error(ErrorCode::kUsage, "--device " + options.device + ": no number of a GPU",
                "--device cuda:0");
  }
  for (std::size_t i = 0; i < settings.engines.size(); ++i)
    settings.engines[i].device = std::string(kCuda) + std::to_string(first + static_cast<int>(i));
  return settings;
}

WorkerClient::WorkerClient(WorkerSettings settings) : settings_(std::move(settings)) {
  MOEBENCH_CHECK(!settings_.engines.empty() && !settings_.command.empty());
  for (const EngineOptions& options : settings_.engines) {
    workers_.emplace_back().options = options;
    start(workers_.back());
  }
  const auto serves = [](const Worker& worker) { return worker.phase == Phase::kServing; };
  while (!std::all_of(workers_.begin(), workers_.end(), serves)) next_events(kLongestWait);
  loaded_ = true;
}

WorkerClient::~WorkerClient() = default;

std::int64_t WorkerClient::max_in_flight() const {
  std::int64_t total = 0;
  for (const Worker& worker : workers_) total += worker.options.max_batch_sequences;
  return total;
}

void WorkerClient::submit(GenerationRequest request) {
  const std::uint64_t id = request.id;
  const bool is_new = requests_.emplace(id, Request{std::move(request), Clock::now(), {}}).second;
  MOEBENCH_CHECK(is_new);
  waiting_.push_back(id);
  feed();
}

void WorkerClient::cancel(std::uint64_t request_id) {
  for (std::deque<std::uint64_t>* queue : {&waiting_, &suspects_}) {
    const auto found = std::find(queue->begin(), queue->end(), request_id);
    if (found == queue->end()) continue;
    queue->erase(found);
    fail(request_id, FinishReason::kCancelled, {});
    return;
  }
  for (Worker& worker : workers_) {
    const auto& held = worker.in_flight;
    if (std::find(held.begin(), held.end(), request_id) == held.end()) continue;
    requests_.at(request_id).cancelled = true;
    worker.process->send(CancelMessage{request_id});
  }
}

std::vector<GenerationEvent> WorkerClient::next_events(std::chrono::milliseconds timeout) {
  const auto give_up = Clock::now() + timeout;
  while (true) {
    std::vector<WorkerProcess*> processes;
    for (Worker& worker : workers_) {
      if (worker.process) processes.push_back(worker.process.get());
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(give_up - Clock::now());
    const auto pause = std::clamp(left, std::chrono::milliseconds(0), kLongestWait);
    WorkerProcess::wait(processes, outbox_.empty() ? pause : std::chrono::milliseconds(0));
    for (Worker& worker : workers_) {
      take_news(worker);
      watch(worker);
    }
    feed();
    if (!outbox_.empty() || Clock::now() >= give_up) return std::exchange(outbox_, {});
  }
}

std::vector<std::int64_t> WorkerClient::expert_token_counts() {
  std::vector<std::int64_t> total;
  for (const Worker& worker : workers_) {
    if (!worker.earlier_expert_counts.empty()) add_counts(total, worker.earlier_expert_counts);
    if (!worker.expert_counts.empty()) add_counts(total, worker.expert_counts);
  }
  return total;
}

std::int64_t WorkerClient::peak_memory_bytes_elsewhere() {
  std::int64_t total = 0;
  for (const Worker& worker : workers_) total += worker.peak_memory_bytes;
  return total;
}

void WorkerClient::start(Worker& worker) {
  worker.process = std::make_unique<WorkerProcess>(settings_.command);
  worker.phase = Phase::kStarting;
  worker.since = Clock::now();
}

void WorkerClient::take_news(Worker& worker) {
  if (!worker.process) return;
  std::string wrong;
  for (WorkerMessage& message : worker.process->take_messages()) {
    if (const auto* hello = std::get_if<HelloMessage>(&message);
        hello != nullptr && worker.phase == Phase::kStarting) {
      if (hello->protocol != kWorkerProtocolVersion) {
        throw Error(ErrorCode::kUsage, settings_.command.front() + " (" + hello->build +
                                           ") speaks version " + std::to_string(hello->protocol) +
                                           " of the worker protocol; this program speaks " +
                                           std::to_string(kWorkerProtocolVersion));
      }
      worker.process->send(LoadMessage{worker.options});
      worker.phase = Phase::kLoading;
      worker.since = Clock::now();
    } else if (const auto* ready = std::get_if<ReadyMessage>(&message);
               ready != nullptr && worker.phase == Phase::kLoading) {
      wrong = on_ready(worker, ready->info);
    } else if (const auto* failure = std::get_if<FailureMessage>(&message); failure != nullptr) {
      // A model that can't be loaded in the first place is the user's to mend, as in process.
      if (!loaded_) throw Error(failure->code, failure->what, failure->remedy);
      wrong = failure->what;
    } else if (auto* events = std::get_if<EventsMessage>(&message);
               events != nullptr && worker.phase == Phase::kServing) {
      wrong = on_events(worker, *events);
    } else {
      wrong = "a message out of turn";
    }
    if (!wrong.empty()) return bury(worker, wrong);
  }
  if (worker.process->ended()) bury(worker, {});
}

std::string WorkerClient::on_ready(Worker& worker, const ClientInfo& info) {
  const EngineInfo& engine = info.engine;
  if (engine.n_moe_layers < 0 || engine.n_experts < 0) return "a model with negative sizes";
  if (info_.engine_name.empty()) {
    info_ = info;
  } else if (engine.model_sha256 != info_.engine.model_sha256 ||
             engine.weight_types != info_.engine.weight_types ||
             engine.kv_cache_type != info_.engine.kv_cache_type || engine.isa != info_.engine.isa ||
             engine.n_moe_layers != info_.engine.n_moe_layers ||
             engine.n_experts != info_.engine.n_experts) {
    throw Error(ErrorCode::kBadModel,
                worker.options.model + ": is not what the other workers loaded (" +
                    engine.model_sha256 + ", not " + info_.engine.model_sha256 + ")",
                "leave the model's files alone while a run uses them");
  }
  // The slowest worker is what the run waits for.
  info_.engine.load_seconds = std::max(info_.engine.load_seconds, engine.load_seconds);
  worker.phase = Phase::kServing;
  worker.since = worker.progress = Clock::now();
  return {};
}

std::string WorkerClient::on_events(Worker& worker, EventsMessage& message) {
  const auto now = Clock::now();
  const auto n_counts =
      static_cast<std::size_t>(info_.engine.n_moe_layers * info_.engine.n_experts);
  if (!message.expert_token_counts.empty()) {
    if (message.expert_token_counts.size() != n_counts) return "counts of other experts";
    worker.expert_counts = std::move(message.expert_token_counts);
  }
  worker.peak_memory_bytes = std::max(worker.peak_memory_bytes, message.peak_memory_bytes);
  steps_.insert(steps_.end(), message.steps.begin(), message.steps.end());
  if (!message.steps.empty() || !message.events.empty()) worker.progress = now;
  for (GenerationEvent& event : message.events) {
    const std::uint64_t id = event.request_id;
    if (std::find(worker.in_flight.begin(), worker.in_flight.end(), id) == worker.in_flight.end())
      return "an event of a request that it does not hold";
    Request& request = requests_.at(id);
    event.time = std::clamp(event.time, request.submitted, now);
    const bool ends = event.finish != FinishReason::kNone;
    request.events.push_back(std::move(event));
    if (ends) close(worker, id);
  }
  return {};
}

// The request has ended: what it said is handed on.
void WorkerClient::close(Worker& worker, std::uint64_t id) {
  const auto request = requests_.find(id);
  std::move(request->second.events.begin(), request->second.events.end(),
            std::back_inserter(outbox_));
  retries_.push_back({id, request->second.retries});
  requests_.erase(request);
  std::erase(worker.in_flight, id);
  worker.holds_suspect = false;
  worker.deaths_in_a_row = 0;
}

// Time is what gives a worker away that neither speaks nor dies.
void WorkerClient::watch(Worker& worker) {
  const auto now = Clock::now();
  const auto seconds = [](auto duration) {
    return std::to_string(std::chrono::duration<double>(duration).count()).substr(0, 6) + " s";
  };
  switch (worker.phase) {
    case Phase::kStarting:
      if (now - worker.since > kGreetingLimit)
        bury(worker, "it said nothing for " + seconds(kGreetingLimit));
      break;
    case Phase::kLoading:
      if (now - worker.since > kLoadLimit)
        bury(worker, "loading took longer than " + seconds(kLoadLimit));
      break;
    case Phase::kServing:
      if (!worker.in_flight.empty() && now - worker.progress > settings_.stall_limit)
        bury(worker, "it hung: no step in " + seconds(settings_.stall_limit));
      break;
    case Phase::kDead:
      if (now >= worker.since) start(worker);
      break;
    case Phase::kGivenUp:
      break;
  }
}

// Ends a worker, decides about the requests that it held, and when it is started again.
void WorkerClient::bury(Worker& worker, const std::string& cause) {
  const std::string end = worker.process->end();
  // What it was ended for says more than how.
  const std::string why =
      "worker " + std::to_string(number(worker)) + " " + (cause.empty() ? end : "failed: " + cause);
  worker.process.reset();
  ++worker.deaths_in_a_row;
  // One death while loading may have any cause; at the second, the model has it.
  if (!loaded_ && worker.deaths_in_a_row > 1) {
    throw Error(ErrorCode::kDevice, why + ", while loading " + worker.options.model, kRemedy);
  }
  if (!worker.expert_counts.empty()) {
    add_counts(worker.earlier_expert_counts, worker.expert_counts);
    worker.expert_counts.clear();
  }

  const std::vector<std::uint64_t> lost = std::exchange(worker.in_flight, {});
  worker.holds_suspect = false;
  // Back to front: they are asked again in the order in which they came.
  for (auto id = lost.rbegin(); id != lost.rend(); ++id) {
    Request& request = requests_.at(*id);
    request.events.clear();
    if (lost.size() == 1) ++request.deaths_alone;
    if (request.cancelled) {
      fail(*id, FinishReason::kCancelled, {});
    } else if (request.deaths_alone >= kDeathsAlone) {
      fail(*id, FinishReason::kFailed,
           "the engine died of it " + std::to_string(request.deaths_alone) + " times: " + why);
    } else {
      ++request.retries;
      suspects_.push_front(*id);
    }
  }

  warnings_.push_back(why + "; " + std::to_string(lost.size()) +
                      " requests were in flight, and asked again");
  if (worker.deaths_in_a_row < settings_.most_deaths_in_a_row) {
    const int doublings = std::min(worker.deaths_in_a_row - 1, 4);
    worker.phase = Phase::kDead;
    worker.since = Clock::now() + (doublings == 0 ? std::chrono::milliseconds(0)
                                                  : kRestartPause * (1 << doublings));
    return;
  }
  worker.phase = Phase::kGivenUp;
  const bool all_given_up = std::all_of(workers_.begin(), workers_.end(), [](const Worker& other) {
    return other.phase == Phase::kGivenUp;
  });
  if (all_given_up) {
    throw Error(ErrorCode::kDevice,
                why + ", the " + std::to_string(worker.deaths_in_a_row) +
                    "th death in a row without an answer in between",
                kRemedy);
  }
}

// Ends a request that no worker holds.
void WorkerClient::fail(std::uint64_t id, FinishReason finish, const std::string& why) {
  GenerationEvent event;
  event.request_id = id;
  event.time = Clock::now();
  event.finish = finish;
  event.failure = why;
  outbox_.push_back(std::move(event));
  retries_.push_back({id, requests_.at(id).retries});
  requests_.erase(id);
}

// Gives each worker what it may have: a suspect has it for itself; otherwise the least loaded one
// gets the next request.
void WorkerClient::feed() {
  for (Worker& worker : workers_) {
    while (worker.phase == Phase::kServing && worker.in_flight.empty() && !suspects_.empty()) {
      const std::uint64_t id = suspects_.front();
      suspects_.pop_front();
      worker.holds_suspect = give(worker, id);
    }
  }
  while (!waiting_.empty()) {
    Worker* least = nullptr;
    for (Worker& worker : workers_) {
      const auto load = static_cast<std::int64_t>(worker.in_flight.size());
      if (worker.phase != Phase::kServing || worker.holds_suspect ||
          load >= worker.options.max_batch_sequences)
        continue;
      if (least == nullptr || worker.in_flight.size() < least->in_flight.size()) least = &worker;
    }
    if (least == nullptr) return;
    const std::uint64_t id = waiting_.front();
    waiting_.pop_front();
    give(*least, id);
  }
}

bool WorkerClient::give(Worker& worker, std::uint64_t id) {
  const Request& request = requests_.at(id);
  try {
    worker.process->send(SubmitMessage{request.request});
  } catch (const Error& error) {
    fail(id, FinishReason::kFailed, error.what());
    return false;
  }
  if (worker.in_flight.empty()) worker.progress = Clock::now();
  worker.in_flight.push_back(id);
  return true;
}

std::size_t WorkerClient::number(const Worker& worker) const {
  return static_cast<std::size_t>(&worker - workers_.data()) + 1;
}

}  // namespace moebench
