#include "harness/bench/load_scenario.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>
#include <random>
#include <unordered_map>

#include "datasets/fetch/sha256.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "harness/run/player.h"
#include "harness/run/sample_events.h"

namespace moebench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kTick{100};

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

[[noreturn]] void bad_arrivals(const std::string& text) {
  throw Error(ErrorCode::kUsage, "--load " + text + ": no such load",
              "offline, concurrency:N, or poisson:REQUESTS_PER_SECOND");
}

template <class Number>
Number parse_amount(const std::string& text, std::size_t colon) {
  Number value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data() + colon + 1, end, value);
  if (result.ec != std::errc() || result.ptr != end || !(value > 0) || !(value < Number{1'000'000}))
    bad_arrivals(text);
  return value;
}

// Short common words, one token each in most vocabularies.
constexpr std::array<const char*, 32> kWords = {
    "time", "year", "way",  "day",  "man",  "thing", "life",   "world", "hand", "part", "place",
    "case", "week", "work", "fact", "home", "water", "room",   "money", "book", "word", "line",
    "end",  "law",  "car",  "city", "name", "team",  "minute", "idea",  "body", "back"};

class LoadPlayer {
 public:
  LoadPlayer(EngineClient& client, const LoadRequests& load, const Arrivals& arrivals,
             std::uint64_t seed)
      : client_(client), load_(load), arrivals_(arrivals) {
    if (arrivals.kind == Arrivals::Kind::kPoisson)
      due_seconds_ = poisson_arrivals(static_cast<std::int64_t>(load.requests.size()),
                                      arrivals.requests_per_second, seed);
  }

  LoadResult play(const std::function<void(std::int64_t)>& tick);

 private:
  // When the next request is due, or nothing where none is left or there is no room for one.
  std::optional<Clock::time_point> next_due() const;
  void issue_due();
  void issue(Clock::time_point scheduled);
  void take(GenerationEvent& event);

  struct Flight {
    Clock::time_point issued;
    SampleRecord record;
  };

  EngineClient& client_;
  const LoadRequests& load_;
  const Arrivals& arrivals_;
  std::vector<double> due_seconds_;
  std::size_t next_ = 0;
  std::unordered_map<std::uint64_t, Flight> in_flight_;
  LoadResult result_;
};

std::optional<Clock::time_point> LoadPlayer::next_due() const {
  if (next_ == load_.requests.size()) return std::nullopt;
  if (arrivals_.max_in_flight > 0 &&
      in_flight_.size() >= static_cast<std::size_t>(arrivals_.max_in_flight))
    return std::nullopt;
  if (due_seconds_.empty()) return result_.start;
  return result_.start + std::chrono::duration_cast<Clock::duration>(
                             std::chrono::duration<double>(due_seconds_[next_]));
}

void LoadPlayer::issue_due() {
  for (auto due = next_due(); due && *due <= Clock::now(); due = next_due()) {
    // Offline, everything is due at the start. A closed loop's request is due when there is room.
    const bool closed = arrivals_.kind == Arrivals::Kind::kConcurrency;
    issue(closed ? Clock::now() : *due);
  }
}

void LoadPlayer::issue(Clock::time_point scheduled) {
  GenerationRequest request = load_.requests[next_];
  Flight flight;
  flight.record.task = load_.task.name;
  flight.record.question_id = load_.question_ids[next_];
  flight.record.verdict = verdicts::kUngraded;
  flight.record.timing.scheduled_ms = milliseconds(scheduled - result_.start);
  // Taken before the submission, which is part of what the engine is asked to do.
  flight.issued = arrivals_.kind == Arrivals::Kind::kConcurrency ? scheduled : Clock::now();
  flight.record.timing.issued_ms = milliseconds(flight.issued - result_.start);
  in_flight_.emplace(request.id, std::move(flight));
  client_.submit(std::move(request));
  ++next_;
}

void LoadPlayer::take(GenerationEvent& event) {
  const auto found = in_flight_.find(event.request_id);
  MOEBENCH_CHECK(found != in_flight_.end());
  SampleRecord& record = found->second.record;
  const double now_ms = milliseconds(event.time - found->second.issued);
  if (!add_event(record, event, now_ms, true)) return;
  result_.samples.push_back(std::move(record));
  in_flight_.erase(found);
}

LoadResult LoadPlayer::play(const std::function<void(std::int64_t)>& tick) {
  client_.take_step_records();
  result_.start = Clock::now();
  auto next_tick = result_.start + kTick;
  while (next_ < load_.requests.size() || !in_flight_.empty()) {
    issue_due();
    std::chrono::milliseconds wait = kTick;
    if (const auto due = next_due())
      wait = std::clamp(std::chrono::duration_cast<std::chrono::milliseconds>(*due - Clock::now()),
                        std::chrono::milliseconds(0), kTick);
    std::vector<GenerationEvent> events = client_.next_events(wait);
    for (const RequestRetries& told : client_.take_retries()) {
      if (const auto found = in_flight_.find(told.request_id); found != in_flight_.end())
        found->second.record.retries = told.retries;
    }
    for (GenerationEvent& event : events) take(event);
    if (const auto now = Clock::now(); now >= next_tick) {
      tick(static_cast<std::int64_t>(result_.samples.size()));
      next_tick = now + kTick;
    }
  }
  result_.steps = client_.take_step_records();
  return std::move(result_);
}

TaskRecord load_task_record(const std::string& name, const std::string& words, std::int64_t count) {
  TaskRecord task;
  task.name = name;
  task.title = words;
  task.planned_questions = count;
  return task;
}

}  // namespace

Arrivals parse_arrivals(const std::string& text) {
  Arrivals arrivals;
  const std::size_t colon = text.find(':');
  const std::string kind = text.substr(0, colon);
  if (kind == "offline" && colon == std::string::npos) return arrivals;
  if (colon == std::string::npos) bad_arrivals(text);
  if (kind == "concurrency") {
    arrivals.kind = Arrivals::Kind::kConcurrency;
    arrivals.max_in_flight = parse_amount<std::int64_t>(text, colon);
  } else if (kind == "poisson") {
    arrivals.kind = Arrivals::Kind::kPoisson;
    arrivals.requests_per_second = parse_amount<double>(text, colon);
  } else {
    bad_arrivals(text);
  }
  return arrivals;
}

std::string arrivals_name(const Arrivals& arrivals) {
  switch (arrivals.kind) {
    case Arrivals::Kind::kOffline:
      return "offline";
    case Arrivals::Kind::kConcurrency:
      return "concurrency-" + std::to_string(arrivals.max_in_flight);
    case Arrivals::Kind::kPoisson:
      break;
  }
  char rate[32];
  std::snprintf(rate, sizeof rate, "%g", arrivals.requests_per_second);
  std::string name = "poisson-" + std::string(rate);
  if (arrivals.max_in_flight > 0) name += "-of-" + std::to_string(arrivals.max_in_flight);
  return name;
}

std::vector<double> poisson_arrivals(std::int64_t count, double requests_per_second,
                                     std::uint64_t seed) {
  // std::exponential_distribution is the library's own choice; this is the same everywhere.
  std::mt19937_64 random(seed);
  std::vector<double> seconds;
  double now = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double uniform = (static_cast<double>(random() >> 11) + 0.5) / 9007199254740992.0;
    now += -std::log(uniform) / requests_per_second;
    seconds.push_back(now);
  }
  return seconds;
}

LoadRequests random_requests(const EngineInfo& engine, std::int64_t count,
                             std::int64_t prompt_tokens, std::int64_t generate_tokens,
                             std::uint64_t seed) {
  LoadRequests load;
  const bool knows_tokens = engine.vocab > 1;
  load.words = std::to_string(prompt_tokens) +
               (knows_tokens ? " random tokens, " : " random words, ") +
               std::to_string(generate_tokens) + " generated";
  load.task = load_task_record(
      "random-" + std::to_string(prompt_tokens) + "-" + std::to_string(generate_tokens), load.words,
      count);
  std::mt19937_64 random(seed);  // whose stream the standard fixes; distributions it does not
  std::string all_bytes;
  for (std::int64_t i = 0; i < count; ++i) {
    GenerationRequest& request = load.requests.emplace_back();
    request.id = static_cast<std::uint64_t>(i);
    request.max_tokens = generate_tokens;
    request.ignore_eos = true;
    if (knows_tokens) {
      std::vector<std::int32_t> prompt;
      for (std::int64_t t = 0; t < prompt_tokens; ++t)
        prompt.push_back(
            static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(engine.vocab)));
      for (const std::int32_t id : prompt) all_bytes += std::to_string(id) + ' ';
      request.prompt = std::move(prompt);
    } else {
      std::string prompt;
      for (std::int64_t t = 0; t < prompt_tokens; ++t)
        prompt += (t == 0 ? "" : " ") + std::string(kWords[random() % kWords.size()]);
      all_bytes += prompt + '\n';
      request.prompt = std::move(prompt);
    }
    load.question_ids.push_back("request-" + std::to_string(i));
  }
  load.task.sampling.max_output_tokens = generate_tokens;
  load.task.task_sha256 = sha256_hex(load.words);
  load.task.prompt_sha256 = sha256_hex(all_bytes);
  return load;
}

LoadRequests task_requests(const RunPlan& plan, std::int64_t count) {
  MOEBENCH_CHECK(plan.tasks.size() == 1);
  const std::vector<Attempt> attempts = plan.attempts();
  const PlannedTask& planned = plan.tasks.front();
  LoadRequests load;
  load.words = "questions of " + planned.task.name;
  load.task = task_records(plan).front();
  load.task.planned_questions = count;
  load.task.attempts_per_question = 1;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i) % attempts.size();
    const auto lap = static_cast<std::size_t>(i) / attempts.size();
    load.requests.push_back(make_request(plan, attempts[at], static_cast<std::uint64_t>(i)));
    std::string id = planned.questions[attempts[at].question].id;
    if (attempts[at].index > 0) id += ", sample " + std::to_string(attempts[at].index + 1);
    if (lap > 0) id += ", again " + std::to_string(lap);
    load.question_ids.push_back(std::move(id));
  }
  return load;
}

LoadResult play_load(EngineClient& client, const LoadRequests& load, const Arrivals& arrivals,
                     std::uint64_t seed, const std::function<void(std::int64_t done)>& tick) {
  MOEBENCH_CHECK(load.requests.size() == load.question_ids.size());
  return LoadPlayer(client, load, arrivals, seed).play(tick);
}

}  // namespace moebench
