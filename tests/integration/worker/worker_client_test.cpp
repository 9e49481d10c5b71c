#include "harness/clients/worker_client.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <sstream>
#include <thread>

#include "engine/base/error.h"

namespace moebench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kHang{60};

WorkerSettings faulty(std::vector<std::string> fault, std::int64_t batch = 8, int n_workers = 1) {
  WorkerSettings settings;
  settings.command = {FAULTY_WORKER};
  settings.command.insert(settings.command.end(), fault.begin(), fault.end());
  EngineOptions options;
  options.model = "echo";
  options.max_batch_sequences = batch;
  settings.engines.assign(static_cast<std::size_t>(n_workers), options);
  settings.stall_limit = std::chrono::milliseconds(1500);
  return settings;
}

std::string prompt(std::uint64_t id) { return "what is " + std::to_string(id) + " plus one?"; }

GenerationRequest ask(std::uint64_t id, std::string text) {
  GenerationRequest request;
  request.id = id;
  request.prompt = std::move(text);
  return request;
}

struct Answer {
  std::string text, failure;
  FinishReason finish = FinishReason::kNone;
  std::vector<std::int32_t> tokens;
  std::size_t logprobs = 0, ends = 0;
};

// Asks the questions, as many at a time as the client takes, and checks the contract of events.
std::map<std::uint64_t, Answer> play(WorkerClient& client,
                                     const std::vector<std::string>& prompts) {
  std::map<std::uint64_t, Answer> answers;
  std::size_t next = 0, ended = 0;
  auto progress = Clock::now();
  while (ended < prompts.size()) {
    while (next < prompts.size() &&
           static_cast<std::int64_t>(next - ended) < client.max_in_flight()) {
      client.submit(ask(next, prompts[next]));
      ++next;
    }
    for (GenerationEvent& event : client.next_events(std::chrono::milliseconds(100))) {
      progress = Clock::now();
      EXPECT_LE(event.time, progress);
      Answer& answer = answers[event.request_id];
      EXPECT_EQ(answer.ends, 0u) << "an event after the last one of request " << event.request_id;
      answer.text += event.text_delta;
      answer.tokens.insert(answer.tokens.end(), event.tokens.begin(), event.tokens.end());
      answer.logprobs += event.logprobs.size();
      if (event.finish == FinishReason::kNone) continue;
      answer.finish = event.finish;
      answer.failure = event.failure;
      ++answer.ends;
      ++ended;
    }
    if (Clock::now() - progress > kHang) {
      ADD_FAILURE() << "no event for a minute; " << ended << " of " << prompts.size() << " ended";
      break;
    }
  }
  return answers;
}

std::vector<std::string> prompts(std::size_t n) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < n; ++i) all.push_back(prompt(i));
  return all;
}

void expect_all_echoed(const std::map<std::uint64_t, Answer>& answers, std::size_t n) {
  ASSERT_EQ(answers.size(), n);
  for (const auto& [id, answer] : answers) {
    EXPECT_EQ(answer.text, prompt(id)) << "nothing of a lost try may be left";
    EXPECT_EQ(answer.finish, FinishReason::kEos) << answer.failure;
    EXPECT_EQ(answer.tokens.size(), 5u);
    EXPECT_EQ(answer.logprobs, 5u);
  }
}

TEST(WorkerClient, GivesWhatTheEngineGives) {
  WorkerClient client(faulty({"none"}));
  EXPECT_EQ(client.info().engine_name, "echo");
  EXPECT_EQ(client.max_in_flight(), 8);
  expect_all_echoed(play(client, prompts(40)), 40);
  std::int64_t decoded = 0;
  for (const StepRecord& step : client.take_step_records()) decoded += step.decode_tokens;
  EXPECT_EQ(decoded, 40 * 5);
  EXPECT_EQ(client.expert_token_counts(), (std::vector<std::int64_t>{100, 100}));
  EXPECT_GT(client.peak_memory_bytes_elsewhere(), 0);
  EXPECT_TRUE(client.take_warnings().empty());
}

TEST(WorkerClient, SharesTheWorkAmongWorkers) {
  WorkerClient client(faulty({"none"}, 4, 3));
  EXPECT_EQ(client.max_in_flight(), 12);
  expect_all_echoed(play(client, prompts(60)), 60);
  EXPECT_EQ(client.expert_token_counts(), (std::vector<std::int64_t>{150, 150}));
}

// A worker that dies at every tenth request, whatever kills it, costs no answer.
class EveryTenth : public testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(EveryTenth, LosesNoAnswer) {
  const auto& [fault, words] = GetParam();
  for (const int n_workers : {1, 2}) {
    WorkerClient client(faulty({fault, "10"}, 8, n_workers));
    expect_all_echoed(play(client, prompts(45)), 45);
    const std::vector<std::string> warnings = client.take_warnings();
    ASSERT_GE(warnings.size(), 2u);
    EXPECT_NE(warnings.front().find(words), std::string::npos) << warnings.front();
    // What the warnings tell of deaths, the requests tell of themselves.
    std::int64_t asked_again = 0, retries = 0;
    for (const std::string& warning : warnings)
      asked_again += std::stoll(warning.substr(warning.rfind("; ") + 2));
    const std::vector<RequestRetries> told = client.take_retries();
    for (const RequestRetries& request : told) retries += request.retries;
    EXPECT_EQ(told.size(), 45u);
    EXPECT_EQ(retries, asked_again);
    EXPECT_GT(retries, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, EveryTenth,
                         testing::Values(std::tuple("segfault-every", "signal 11"),
                                         std::tuple("memory-every", "memory runs out"),
                                         std::tuple("exit-every", "the last words of a worker"),
                                         std::tuple("throw-every", "the device fell off the bus"),
                                         std::tuple("hang-every", "it hung")),
                         [](const auto& tested) {
                           std::string name = std::get<0>(tested.param);
                           std::erase(name, '-');
                           return name;
                         });

TEST(WorkerClient, FailsTheRequestThatKillsItAndNoOther) {
  WorkerClient client(faulty({"segfault-on", "poison"}));
  std::vector<std::string> asked = prompts(30);
  asked[5] = asked[20] = "this is poison for you?";
  const auto answers = play(client, asked);
  ASSERT_EQ(answers.size(), 30u);
  for (const auto& [id, answer] : answers) {
    if (id == 5 || id == 20) {
      EXPECT_EQ(answer.finish, FinishReason::kFailed);
      EXPECT_TRUE(answer.text.empty());
      EXPECT_NE(answer.failure.find("signal 11"), std::string::npos) << answer.failure;
    } else {
      EXPECT_EQ(answer.finish, FinishReason::kEos) << id << ": " << answer.failure;
      EXPECT_EQ(answer.text, prompt(id));
    }
  }
}

TEST(WorkerClient, GivesUpOnAnEngineThatAlwaysDies) {
  WorkerSettings settings = faulty({"segfault-every", "1"});
  settings.most_deaths_in_a_row = 3;
  WorkerClient client(settings);
  client.submit(ask(1, "a b"));
  client.submit(ask(2, "a b"));
  const auto until_it_ends = [&] {
    const auto give_up = Clock::now() + kHang;
    while (Clock::now() < give_up) client.next_events(std::chrono::milliseconds(50));
  };
  EXPECT_THROW(until_it_ends(), Error);
}

TEST(WorkerClient, EndsCancelledRequestsOnce) {
  WorkerClient client(faulty({"none"}, 1));
  std::string long_prompt;
  for (int i = 0; i < 5000; ++i) long_prompt += "word ";
  client.submit(ask(1, long_prompt));
  client.submit(ask(2, long_prompt));  // waits for a place
  client.cancel(1);
  client.cancel(2);
  std::map<std::uint64_t, int> ended;
  const auto give_up = Clock::now() + kHang;
  while (ended.size() < 2 && Clock::now() < give_up) {
    for (const GenerationEvent& event : client.next_events(std::chrono::milliseconds(50))) {
      if (event.finish == FinishReason::kNone) continue;
      EXPECT_EQ(event.finish, FinishReason::kCancelled);
      ++ended[event.request_id];
    }
  }
  EXPECT_EQ(ended, (std::map<std::uint64_t, int>{{1, 1}, {2, 1}}));
}

TEST(WorkerClient, FailsARequestThatCannotBeSent) {
  WorkerClient client(faulty({"none"}));
  const auto answers = play(client, {"good words", "bad \xff words"});
  EXPECT_EQ(answers.at(0).finish, FinishReason::kEos);
  EXPECT_EQ(answers.at(1).finish, FinishReason::kFailed);
  EXPECT_NE(answers.at(1).failure.find("UTF-8"), std::string::npos);
}

TEST(WorkerClient, TakesForeignEventsAndForeignCountsForABrokenWorker) {
  for (const char* fault : {"foreign-event", "foreign-experts"}) {
    WorkerSettings settings = faulty({fault});
    settings.most_deaths_in_a_row = 2;
    WorkerClient client(settings);
    try {
      play(client, prompts(3));
      FAIL() << fault << " went unseen";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kDevice) << error.what();
    }
  }
}

TEST(WorkerClient, RefusesAWorkerThatIsNone) {
  for (const char* fault :
       {"garbage", "huge-frame", "deep-frame", "other-version", "die-loading"}) {
    try {
      WorkerClient client(faulty({fault}));
      FAIL() << fault << " was taken for a worker";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()), "") << fault;
    }
  }
  WorkerSettings settings = faulty({"none"});
  settings.command = {"/nowhere/at/all"};
  EXPECT_THROW(WorkerClient client(settings), Error);
}

TEST(WorkerClient, SaysWhatTheEngineSaysOfABadModel) {
  WorkerSettings settings = faulty({"none"});
  settings.engines[0].model = "/nowhere/model.gguf";
  std::string in_process;
  try {
    make_client(settings.engines[0]);
  } catch (const Error& error) {
    in_process = error.what();
  }
  try {
    WorkerClient client(settings);
    FAIL() << "a model that is nowhere was loaded";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), in_process);
  }
}

std::vector<int> children_of_this_process() {
  const std::string me = std::to_string(getpid());
  std::ifstream file("/proc/" + me + "/task/" + me + "/children");
  std::vector<int> ids;
  for (int id = 0; file >> id;) ids.push_back(id);
  return ids;
}

TEST(WorkerClient, LeavesNoProcessBehind) {
  {
    WorkerClient client(faulty({"none"}, 8, 2));
    EXPECT_EQ(children_of_this_process().size(), 2u);
  }
  EXPECT_TRUE(children_of_this_process().empty());
}

TEST(WorkerClient, OutlivesAnOutsider) {
  WorkerClient client(faulty({"none"}));
  const std::vector<int> before = children_of_this_process();
  ASSERT_EQ(before.size(), 1u);
  ASSERT_EQ(::kill(before[0], SIGSTOP), 0);  // alive, but silent
  expect_all_echoed(play(client, prompts(20)), 20);
  EXPECT_NE(children_of_this_process(), before);
}

}  // namespace
}  // namespace moebench
