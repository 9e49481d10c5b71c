#include "harness/run/player.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "engine/base/error.h"

namespace moebench {
namespace {

using Clock = std::chrono::steady_clock;

// Holds every request and ends the newest first, so answers come in another order than questions.
// What a request says and how it ends is up to `script`.
class ScriptedClient final : public EngineClient {
 public:
  std::function<std::vector<GenerationEvent>(const GenerationRequest&)> script;
  std::int64_t in_flight_limit = 3;
  std::size_t most_in_flight = 0;
  std::vector<GenerationRequest> held;
  std::set<std::uint64_t> cancelled;
  std::map<std::uint64_t, std::int64_t> retries;  // what it tells with a request's last event

  const ClientInfo& info() const override { return info_; }
  std::int64_t max_in_flight() const override { return in_flight_limit; }
  void submit(GenerationRequest request) override {
    held.push_back(std::move(request));
    most_in_flight = std::max(most_in_flight, held.size());
  }
  void cancel(std::uint64_t id) override { cancelled.insert(id); }
  std::vector<GenerationEvent> next_events(std::chrono::milliseconds) override {
    if (held.empty()) return {};
    const GenerationRequest request = std::move(held.back());
    held.pop_back();
    std::vector<GenerationEvent> events;
    if (cancelled.contains(request.id)) {
      events.emplace_back().finish = FinishReason::kCancelled;
    } else {
      events = script(request);
    }
    for (GenerationEvent& event : events) {
      event.request_id = request.id;
      event.time = Clock::now();
    }
    if (const auto told = retries.find(request.id); told != retries.end())
      told_.push_back({request.id, told->second});
    return events;
  }
  std::vector<RequestRetries> take_retries() override { return std::exchange(told_, {}); }

 private:
  ClientInfo info_;
  std::vector<RequestRetries> told_;
};

GenerationEvent text_event(const std::string& text, FinishReason finish = FinishReason::kNone) {
  GenerationEvent event;
  event.text_delta = text;
  event.tokens = {1, 2, 3};
  event.finish = finish;
  event.usage.output_tokens = 3;
  return event;
}

RunPlan plan_of(std::int64_t n_questions, std::int64_t samples = 1) {
  Settings typed = {{"model", "null"},
                    {"tasks", "gsm8k-mini"},
                    {"limit", std::to_string(n_questions)},
                    {"samples", std::to_string(samples)},
                    {"temperature", "1"}};
  return make_plan(parse_run_settings(typed));
}

struct Played {
  PlayResult result;
  std::vector<SampleRecord> samples;
};

Played play_all(
    const RunPlan& plan, EngineClient& client,
    std::function<bool()> should_stop = [] { return false; }) {
  Played played;
  PlayListener listener;
  listener.finished = [&](const Attempt&, SampleRecord sample) {
    played.samples.push_back(std::move(sample));
  };
  listener.tick = [](std::int64_t) {};
  listener.should_stop = std::move(should_stop);
  const std::vector<Attempt> attempts = plan.attempts();
  played.result = play(plan, attempts, client, 0, {}, listener);
  return played;
}

TEST(Player, AsksEveryQuestionOnceWithinTheClientsLimit) {
  const RunPlan plan = plan_of(10);
  ScriptedClient client;
  client.script = [](const GenerationRequest&) {
    return std::vector{text_event("#### 34", FinishReason::kEos)};
  };
  const Played played = play_all(plan, client);
  std::set<std::string> ids;
  for (const SampleRecord& sample : played.samples) ids.insert(sample.question_id);
  EXPECT_EQ(played.samples.size(), 10u);
  EXPECT_EQ(ids.size(), 10u);
  EXPECT_EQ(client.most_in_flight, 3u);
  EXPECT_EQ(played.result.dropped, 0);
}

TEST(Player, RecordsHowOftenARequestWasAskedAgainWhereTheClientTells) {
  const RunPlan plan = plan_of(4);
  ScriptedClient client;
  client.script = [](const GenerationRequest&) {
    return std::vector{text_event("#### 34", FinishReason::kEos)};
  };
  client.retries = {{1, 2}, {3, 0}};
  const Played played = play_all(plan, client);
  std::map<std::string, std::optional<std::int64_t>> retries;
  for (const SampleRecord& sample : played.samples) retries[sample.question_id] = sample.retries;
  const std::vector<Sample>& questions = plan.tasks[0].questions;
  EXPECT_EQ(retries.at(questions[1].id), 2);
  EXPECT_EQ(retries.at(questions[3].id), 0);
  EXPECT_EQ(retries.at(questions[0].id), std::nullopt);
}

TEST(Player, GradesEachAnswerAgainstItsOwnQuestionWhateverTheOrder) {
  const RunPlan plan = plan_of(10);
  std::map<std::string, std::string> targets;  // prompt -> gold
  for (const Sample& sample : plan.tasks[0].questions) targets[sample.question] = sample.target;
  ScriptedClient client;
  client.script = [&](const GenerationRequest& request) {
    const auto& messages = std::get<std::vector<ChatMessage>>(request.prompt);
    return std::vector{text_event("#### " + targets.at(messages.back().content)),
                       text_event("", FinishReason::kEos)};
  };
  for (const SampleRecord& sample : play_all(plan, client).samples) {
    EXPECT_EQ(sample.verdict, "correct") << sample.question << " got " << sample.output;
  }
}

TEST(Player, KeepsTruncatedAndFailedApartFromWrong) {
  const RunPlan plan = plan_of(3);
  ScriptedClient client;
  client.script = [&](const GenerationRequest& request) {
    if (request.id == 0) return std::vector{text_event("First we count", FinishReason::kLength)};
    GenerationEvent failed;
    failed.finish = FinishReason::kFailed;
    failed.failure = "prompt longer than the context";
    if (request.id == 1) return std::vector{failed};
    return std::vector{text_event("#### -77", FinishReason::kEos)};
  };
  std::map<std::string, const SampleRecord*> by_verdict;
  const Played played = play_all(plan, client);
  for (const SampleRecord& sample : played.samples) by_verdict[sample.verdict] = &sample;
  ASSERT_EQ(by_verdict.size(), 3u);
  EXPECT_TRUE(by_verdict.contains("truncated"));
  EXPECT_TRUE(by_verdict.contains("wrong"));
  ASSERT_TRUE(by_verdict.contains("failed"));
  EXPECT_EQ(by_verdict["failed"]->failure, "prompt longer than the context");
  EXPECT_FALSE(by_verdict["failed"]->timing.first_token_ms.has_value());
}

TEST(Player, DropsWhatWasInFlightWhenItIsStopped) {
  const RunPlan plan = plan_of(10);
  ScriptedClient client;
  client.script = [](const GenerationRequest&) {
    return std::vector{text_event("#### 1", FinishReason::kEos)};
  };
  int asked = 0;
  const Played played = play_all(plan, client, [&] { return ++asked > 3; });
  EXPECT_EQ(played.samples.size(), 3u);
  EXPECT_EQ(played.result.dropped, 3);
}

TEST(Player, LeavesTheListenersErrorToTheCaller) {
  const RunPlan plan = plan_of(4);
  ScriptedClient client;
  client.script = [](const GenerationRequest&) {
    return std::vector{text_event("#### 1", FinishReason::kEos)};
  };
  PlayListener listener;
  listener.finished = [](const Attempt&, SampleRecord) {
    throw Error(ErrorCode::kIo, "no space left");
  };
  listener.tick = [](std::int64_t) {};
  listener.should_stop = [] { return false; };
  const std::vector<Attempt> attempts = plan.attempts();
  EXPECT_THROW(play(plan, attempts, client, 0, {}, listener), Error);
}

TEST(Player, SeparatesThinkingFromTheAnswerAndTimesBoth) {
  const RunPlan plan = plan_of(1);
  ScriptedClient client;
  client.script = [](const GenerationRequest&) {
    GenerationEvent thinking;
    thinking.tokens = {5};
    thinking.thinking_delta = "is it 34? #### 99";
    GenerationEvent answer = text_event("#### 34", FinishReason::kEos);
    answer.usage.thinking_tokens = 1;
    return std::vector{thinking, answer};
  };
  const Played played = play_all(plan, client);
  ASSERT_EQ(played.samples.size(), 1u);
  const SampleRecord& sample = played.samples[0];
  EXPECT_EQ(sample.thinking, "is it 34? #### 99");
  EXPECT_EQ(sample.output, "#### 34");
  EXPECT_EQ(sample.extracted, "34");
  EXPECT_EQ(sample.thinking_tokens, 1);
  ASSERT_TRUE(sample.timing.first_token_ms && sample.timing.first_answer_token_ms);
  EXPECT_LE(*sample.timing.first_token_ms, *sample.timing.first_answer_token_ms);
}

TEST(Player, NamesEqualAnswersOfAQuestionAlike) {
  const RunPlan plan = plan_of(1, 3);
  ScriptedClient client;
  client.in_flight_limit = 1;
  const std::vector<std::string> answers = {"#### 34", "#### 34", "#### 35"};
  client.script = [&](const GenerationRequest& request) {
    return std::vector{text_event(answers.at(request.id), FinishReason::kEos)};
  };
  const Played played = play_all(plan, client);
  ASSERT_EQ(played.samples.size(), 3u);
  EXPECT_EQ(played.samples[0].answer_cluster, played.samples[1].answer_cluster);
  EXPECT_NE(played.samples[0].answer_cluster, played.samples[2].answer_cluster);
}

TEST(MakeRequest, KeysTheRandomStreamByQuestionAndAttemptNotByPosition) {
  const RunPlan few = plan_of(2, 2), many = plan_of(5, 2);
  const GenerationRequest a = make_request(few, {0, 1, 1}, 3), b = make_request(many, {0, 1, 1}, 9);
  EXPECT_EQ(a.sampling.seed, b.sampling.seed);
  EXPECT_EQ(a.sampling.sample_index, 1u);
  EXPECT_NE(make_request(many, {0, 2, 1}, 0).sampling.seed, b.sampling.seed);
}

TEST(MakeRequest, TellsTemplatesTheDayOnWhichTheRunBegan) {
  RunPlan plan = plan_of(1, 1);
  EXPECT_EQ(make_request(plan, {0, 0, 0}, 0).now_unix_seconds, std::nullopt);
  plan.started_unix_seconds = 1700000000;
  EXPECT_EQ(make_request(plan, {0, 0, 0}, 0).now_unix_seconds, 1700000000);
}

}  // namespace
}  // namespace moebench
