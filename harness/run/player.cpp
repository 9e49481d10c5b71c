#include "harness/run/player.h"

#include <chrono>
#include <string>
#include <unordered_map>

#include "datasets/fetch/sha256.h"
#include "datasets/verdict.h"
#include "engine/base/check.h"
#include "harness/run/results.h"
#include "harness/run/sample_events.h"

namespace moebench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kTick{100};
// How long cancelled requests may take to come back before they are given up.
constexpr std::chrono::seconds kDrainLimit{20};

double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

std::string prompt_text(const Prompt& prompt) {
  if (prompt.messages.empty()) return prompt.text;
  std::string text;
  for (const PromptMessage& message : prompt.messages) {
    if (!text.empty()) text += "\n\n";
    text += message.content;
  }
  return text;
}

std::string sample_prompt_hash(const Prompt& prompt) {
  std::string bytes;
  for (const PromptMessage& message : prompt.messages) {
    bytes.append(message.role).push_back('\0');
    bytes.append(message.content).push_back('\0');
  }
  return sha256_hex(bytes + prompt.text);
}

std::uint64_t question_seed(std::uint64_t run_seed, const std::string& task,
                            const std::string& question_id) {
  const std::string hex = sha256_hex(std::to_string(run_seed) + '\0' + task + '\0' + question_id);
  return std::stoull(hex.substr(0, 16), nullptr, 16);
}

// What is known of a request that has not ended.
struct Flight {
  Attempt attempt;
  Clock::time_point issued;
  SampleRecord record;
};

class Player {
 public:
  Player(const RunPlan& plan, std::span<const Attempt> attempts, EngineClient& client,
         std::int64_t segment, const PlayListener& listener)
      : plan_(plan), attempts_(attempts), client_(client), segment_(segment), listener_(listener) {}

  void remember(const SampleRecord& earlier) {
    for (const PlannedTask& planned : plan_.tasks) {
      if (planned.task.name == earlier.task) clusters_.name(planned.task, earlier);
    }
  }

  PlayResult play();

 private:
  void submit_next();
  std::vector<GenerationEvent> next_events();
  // The flight that the event ended, or nothing.
  std::optional<Flight> take(GenerationEvent& event);
  void close(Flight flight);
  void grade_into(const PlannedTask& planned, const Sample& question, SampleRecord& record);
  void drain();

  const RunPlan& plan_;
  std::span<const Attempt> attempts_;
  EngineClient& client_;
  std::int64_t segment_;
  const PlayListener& listener_;

  Clock::time_point start_, last_token_;
  std::size_t next_ = 0;
  std::int64_t output_tokens_ = 0, dropped_ = 0;
  std::unordered_map<std::uint64_t, Flight> in_flight_;
  AnswerClusters clusters_;
};

PlayResult Player::play() {
  start_ = last_token_ = Clock::now();
  const auto limit = static_cast<std::size_t>(client_.max_in_flight());
  auto next_tick = start_;
  while (next_ < attempts_.size() || !in_flight_.empty()) {
    if (listener_.should_stop()) {
      drain();
      break;
    }
    while (next_ < attempts_.size() && in_flight_.size() < limit) submit_next();

    std::vector<Flight> ended;
    for (GenerationEvent& event : next_events()) {
      if (std::optional<Flight> flight = take(event)) ended.push_back(std::move(*flight));
    }
    // The engine gets its next questions before the answers are graded, so it never waits for that.
    while (next_ < attempts_.size() && in_flight_.size() < limit) submit_next();
    for (Flight& flight : ended) close(std::move(flight));

    if (const auto now = Clock::now(); now >= next_tick) {
      listener_.tick(output_tokens_);
      next_tick = now + kTick;
    }
  }
  return {std::chrono::duration<double>(last_token_ - start_).count(), dropped_};
}

void Player::submit_next() {
  const Attempt attempt = attempts_[next_];
  const PlannedTask& planned = plan_.tasks[attempt.task];
  const Sample& question = planned.questions[attempt.question];

  Flight flight;
  flight.attempt = attempt;
  SampleRecord& record = flight.record;
  record.task = planned.task.name;
  record.question_id = question.id;
  record.attempt = attempt.index;
  record.segment = segment_;
  record.level = question.level;
  record.subject = question.subject;
  record.question = question.question;
  record.target = question.target;
  record.prompt_sha256 = sample_prompt_hash(build_prompt(planned.task, planned.shots, question));

  GenerationRequest request = make_request(plan_, attempt, next_);
  flight.issued = Clock::now();
  // A closed loop: a question is due when there is room for it, so it never waits on our side.
  record.timing.issued_ms = milliseconds(flight.issued - start_);
  record.timing.scheduled_ms = record.timing.issued_ms;
  in_flight_.emplace(next_, std::move(flight));
  client_.submit(std::move(request));
  ++next_;
}

std::vector<GenerationEvent> Player::next_events() {
  std::vector<GenerationEvent> events = client_.next_events(kTick);
  for (const RequestRetries& told : client_.take_retries()) {
    if (const auto found = in_flight_.find(told.request_id); found != in_flight_.end())
      found->second.record.retries = told.retries;
  }
  return events;
}

std::optional<Flight> Player::take(GenerationEvent& event) {
  const auto found = in_flight_.find(event.request_id);
  MOEBENCH_CHECK(found != in_flight_.end());
  Flight& flight = found->second;
  SampleRecord& record = flight.record;
  const double now_ms = milliseconds(event.time - flight.issued);

  if (!event.tokens.empty() || !event.text_delta.empty() || !event.thinking_delta.empty())
    last_token_ = std::max(last_token_, event.time);
  output_tokens_ += static_cast<std::int64_t>(event.tokens.size());
  if (!add_event(record, event, now_ms, plan_.chunk_times)) return std::nullopt;
  Flight ended = std::move(flight);
  in_flight_.erase(found);
  return ended;
}

void Player::close(Flight flight) {
  SampleRecord& record = flight.record;
  if (record.finish_reason == "cancelled") {
    ++dropped_;
    return;
  }
  const PlannedTask& planned = plan_.tasks[flight.attempt.task];
  grade_into(planned, planned.questions[flight.attempt.question], record);
  listener_.finished(flight.attempt, std::move(record));
}

void Player::grade_into(const PlannedTask& planned, const Sample& question, SampleRecord& record) {
  const bool truncated = record.finish_reason == "length" || record.finish_reason == "context";
  const Verdict verdict = record.finish_reason == "failed"
                              ? failed_verdict(record.failure)
                              : grade(planned.task, question, record.output, truncated);
  record.verdict = to_string(verdict.kind);
  record.extracted = verdict.extracted;
  record.extraction = to_string(verdict.rule);
  record.reason = to_string(verdict.reason);
  record.detail = verdict.detail;
  if (verdict.corrected_kind) record.corrected_verdict = to_string(*verdict.corrected_kind);
  record.answer_cluster = clusters_.name(planned.task, record);
}

void Player::drain() {
  for (const auto& [id, flight] : in_flight_) client_.cancel(id);
  const auto give_up = Clock::now() + kDrainLimit;
  while (!in_flight_.empty() && Clock::now() < give_up) {
    for (GenerationEvent& event : next_events()) {
      if (std::optional<Flight> flight = take(event)) close(std::move(*flight));
    }
  }
  dropped_ += static_cast<std::int64_t>(in_flight_.size());
}

}  // namespace

GenerationRequest make_request(const RunPlan& plan, const Attempt& attempt, std::uint64_t id) {
  const PlannedTask& planned = plan.tasks[attempt.task];
  const Sample& question = planned.questions[attempt.question];
  Prompt prompt = build_prompt(planned.task, planned.shots, question);

  GenerationRequest request;
  request.id = id;
  if (plan.raw_prompt || planned.task.prompt.form == PromptForm::kText) {
    request.prompt = prompt_text(prompt);
  } else {
    std::vector<ChatMessage> messages;
    for (PromptMessage& message : prompt.messages) {
      messages.push_back({std::move(message.role), std::move(message.content)});
    }
    request.prompt = std::move(messages);
  }
  request.sampling.temperature = planned.sampling.temperature;
  request.sampling.top_p = planned.sampling.top_p;
  request.sampling.top_k = planned.sampling.top_k;
  request.sampling.seed = question_seed(planned.sampling.seed, planned.task.name, question.id);
  request.sampling.sample_index = static_cast<std::uint64_t>(attempt.index);
  request.max_tokens = planned.sampling.max_output_tokens;
  request.max_thinking_tokens = planned.sampling.max_thinking_tokens;
  request.stop = planned.task.sampling.stop;
  request.now_unix_seconds = plan.started_unix_seconds;
  return request;
}

PlayResult play(const RunPlan& plan, std::span<const Attempt> attempts, EngineClient& client,
                std::int64_t segment, std::span<const SampleRecord> earlier,
                const PlayListener& listener) {
  Player player(plan, attempts, client, segment, listener);
  for (const SampleRecord& record : earlier) player.remember(record);
  return player.play();
}

}  // namespace moebench
