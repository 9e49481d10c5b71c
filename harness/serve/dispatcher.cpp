#include "harness/serve/dispatcher.h"

#include <chrono>
#include <exception>
#include <utility>

namespace moebench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPoll{100};

double seconds_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

}  // namespace

Dispatcher::Dispatcher(Engine& engine, Metrics& metrics, std::int64_t max_requests)
    : engine_(engine), metrics_(metrics), max_requests_(max_requests) {
  thread_ = std::thread([this] { run(); });
}

Dispatcher::~Dispatcher() {
  stop_ = true;
  thread_.join();
}

std::int64_t Dispatcher::n_in_flight() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(flights_.size());
}

std::optional<Ticket> Dispatcher::submit(std::vector<GenerationRequest> requests,
                                         const std::shared_ptr<EventSink>& sink) {
  Ticket ticket;
  ticket.n_requests = requests.size();
  {
    const std::lock_guard lock(mutex_);
    if (failed_ || static_cast<std::int64_t>(flights_.size() + requests.size()) > max_requests_) {
      return std::nullopt;
    }
    ticket.first_id = next_id_;
    next_id_ += requests.size();
    const auto now = Clock::now();
    for (std::size_t i = 0; i < requests.size(); ++i) {
      flights_[ticket.first_id + i] = {sink, ticket.first_id, now, false};
    }
    metrics_.waiting += static_cast<std::int64_t>(requests.size());
  }
  // Outside the lock: this is where prompts are tokenised.
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].id = ticket.first_id + i;
    engine_.submit(std::move(requests[i]));
  }
  return ticket;
}

void Dispatcher::cancel(const Ticket& ticket) {
  std::vector<std::uint64_t> ids;
  {
    const std::lock_guard lock(mutex_);
    for (std::uint64_t id = ticket.first_id; id < ticket.first_id + ticket.n_requests; ++id) {
      if (flights_.contains(id)) ids.push_back(id);
    }
  }
  for (const std::uint64_t id : ids) engine_.cancel(id);
}

void Dispatcher::run() {
  try {
    while (!stop_) {
      for (GenerationEvent& event : engine_.next_events(kPoll)) route(std::move(event));
      take_steps();
    }
  } catch (const std::exception& error) {
    fail_all(error.what());
  }
}

void Dispatcher::route(GenerationEvent event) {
  std::shared_ptr<EventSink> sink;
  {
    const std::lock_guard lock(mutex_);
    const auto found = flights_.find(event.request_id);
    if (found == flights_.end()) return;
    Flight& flight = found->second;
    if (!flight.started && !event.tokens.empty()) {
      flight.started = true;
      --metrics_.waiting;
      ++metrics_.running;
      metrics_.first_token_seconds.add(seconds_between(flight.submitted, event.time));
    }
    metrics_.output_tokens += static_cast<std::int64_t>(event.tokens.size());
    sink = flight.sink.lock();
    event.request_id -= flight.first_id;
    if (event.finish != FinishReason::kNone) {
      --(flight.started ? metrics_.running : metrics_.waiting);
      metrics_.prompt_tokens += event.usage.prompt_tokens;
      metrics_.cached_tokens += event.usage.cached_tokens;
      ++metrics_.finished[static_cast<std::size_t>(event.finish)];
      metrics_.request_seconds.add(seconds_between(flight.submitted, event.time));
      flights_.erase(found);
    }
  }
  if (sink) sink->deliver(std::move(event));
}

void Dispatcher::take_steps() {
  for (const StepRecord& step : engine_.take_step_records()) {
    ++metrics_.steps;
    metrics_.step_rows += step.prefill_tokens + step.decode_tokens;
    metrics_.step_seconds_micro +=
        std::chrono::duration_cast<std::chrono::microseconds>(step.end - step.begin).count();
  }
}

void Dispatcher::fail_all(const std::string& why) {
  std::unordered_map<std::uint64_t, Flight> flights;
  {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    flights.swap(flights_);
    metrics_.running = metrics_.waiting = 0;
  }
  for (const auto& [id, flight] : flights) {
    const auto sink = flight.sink.lock();
    if (!sink) continue;
    GenerationEvent event;
    event.request_id = id - flight.first_id;
    event.time = Clock::now();
    event.finish = FinishReason::kFailed;
    event.usage.output_tokens = 1;  // began: the server's fault, not the request's
    event.failure = "the engine failed: " + why;
    sink->deliver(std::move(event));
  }
}

}  // namespace moebench
