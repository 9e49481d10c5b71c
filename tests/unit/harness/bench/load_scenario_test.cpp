#include "harness/bench/load_scenario.h"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <set>
#include <thread>

#include "engine/base/error.h"
#include "harness/bench/load_record.h"
#include "harness/clients/null_client.h"
#include "reports/metrics/latency.h"

namespace moebench {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr auto kNoTick = [](std::int64_t) {};

// Answers one request at a time, `answer_time` each, in chunks; counts what was in flight.
class OneAtATimeClient final : public EngineClient {
 public:
  explicit OneAtATimeClient(milliseconds answer_time) : answer_time_(answer_time) {
    info_.engine.vocab = 100;
  }
  std::size_t most_in_flight = 0;
  std::set<std::uint64_t> fail;

  const ClientInfo& info() const override { return info_; }
  std::int64_t max_in_flight() const override { return 1; }
  void submit(GenerationRequest request) override {
    waiting_.push_back(std::move(request));
    most_in_flight = std::max(most_in_flight, waiting_.size());
  }
  void cancel(std::uint64_t) override {}
  std::vector<GenerationEvent> next_events(milliseconds timeout) override {
    if (waiting_.empty()) {
      std::this_thread::sleep_for(timeout);
      return {};
    }
    const GenerationRequest request = waiting_.front();
    waiting_.pop_front();
    if (fail.contains(request.id)) {
      GenerationEvent event;
      event.request_id = request.id;
      event.time = Clock::now();
      event.finish = FinishReason::kFailed;
      event.failure = "out of memory";
      return {event};
    }
    std::vector<GenerationEvent> events;
    for (int chunk = 0; chunk < 2; ++chunk) {
      std::this_thread::sleep_for(answer_time_ / 2);
      GenerationEvent& event = events.emplace_back();
      event.request_id = request.id;
      event.time = Clock::now();
      event.tokens = {1, 2};
      event.text_delta = "x";
    }
    events.back().finish = FinishReason::kLength;
    events.back().usage.output_tokens = 4;
    events.back().usage.prompt_tokens = 8;
    return events;
  }

 private:
  ClientInfo info_;
  milliseconds answer_time_;
  std::deque<GenerationRequest> waiting_;
};

LoadRequests some_requests(std::int64_t count) {
  EngineInfo engine;
  engine.vocab = 100;
  return random_requests(engine, count, 8, 4, 1);
}

TEST(ParseArrivals, KnowsThreeKindsAndNamesWhatItCannotRead) {
  EXPECT_EQ(parse_arrivals("offline").kind, Arrivals::Kind::kOffline);
  EXPECT_EQ(parse_arrivals("concurrency:8").max_in_flight, 8);
  EXPECT_EQ(parse_arrivals("poisson:2.5").requests_per_second, 2.5);
  EXPECT_EQ(arrivals_name(parse_arrivals("poisson:2.5")), "poisson-2.5");
  for (const char* text : {"", "online", "offline:3", "concurrency", "concurrency:0",
                           "concurrency:1.5", "poisson:-1", "poisson:nan", "poisson:1x"})
    EXPECT_THROW(parse_arrivals(text), Error) << text;
}

TEST(PoissonArrivals, HaveTheRateAndTheSpreadOfAPoissonProcess) {
  const auto seconds = poisson_arrivals(20000, 4, 9);
  EXPECT_EQ(seconds, poisson_arrivals(20000, 4, 9)) << "seeded";
  EXPECT_NE(seconds, poisson_arrivals(20000, 4, 10));
  EXPECT_TRUE(std::is_sorted(seconds.begin(), seconds.end()));
  // Gaps of mean 1/4 s; exponential gaps spread as much as their mean.
  const double mean = seconds.back() / 20000;
  EXPECT_NEAR(mean, 0.25, 0.25 * 0.03);
  double squares = 0;
  for (std::size_t i = 1; i < seconds.size(); ++i)
    squares += std::pow(seconds[i] - seconds[i - 1] - mean, 2);
  EXPECT_NEAR(std::sqrt(squares / 20000), 0.25, 0.25 * 0.04);
}

TEST(RandomRequests, AreTheSameFromTheSameSeedAndWithinTheVocabulary) {
  const LoadRequests a = some_requests(5), b = some_requests(5);
  ASSERT_EQ(a.requests.size(), 5u);
  EXPECT_EQ(a.task.prompt_sha256, b.task.prompt_sha256);
  for (const GenerationRequest& request : a.requests) {
    const auto& tokens = std::get<std::vector<std::int32_t>>(request.prompt);
    EXPECT_EQ(tokens.size(), 8u);
    for (const std::int32_t token : tokens) EXPECT_TRUE(token >= 0 && token < 100);
    EXPECT_TRUE(request.ignore_eos);
    EXPECT_EQ(request.max_tokens, 4);
  }
  const LoadRequests words = random_requests(EngineInfo{}, 1, 8, 4, 1);
  const auto& text = std::get<std::string>(words.requests[0].prompt);
  EXPECT_EQ(std::count(text.begin(), text.end(), ' '), 7) << "eight words: " << text;
}

TEST(PlayLoad, OfflineSendsEverythingAtOnce) {
  OneAtATimeClient client(milliseconds(2));
  const LoadResult result = play_load(client, some_requests(6), {}, 0, kNoTick);
  EXPECT_EQ(client.most_in_flight, 6u);
  ASSERT_EQ(result.samples.size(), 6u);
  for (const SampleRecord& sample : result.samples) {
    EXPECT_EQ(sample.timing.scheduled_ms, 0);
    EXPECT_EQ(sample.verdict, verdicts::kUngraded);
    EXPECT_EQ(sample.timing.chunk_ms.size(), 2u);
    EXPECT_EQ(sample.output_tokens, 4);
  }
  // The last one waited for five others in the engine's queue.
  EXPECT_GE(*result.samples.back().timing.first_token_ms, 5 * 2);
}

TEST(PlayLoad, ConcurrencyNeverHasMoreInFlight) {
  OneAtATimeClient client(milliseconds(2));
  const LoadResult result =
      play_load(client, some_requests(7), parse_arrivals("concurrency:3"), 0, kNoTick);
  EXPECT_EQ(client.most_in_flight, 3u);
  EXPECT_EQ(result.samples.size(), 7u);
  for (const SampleRecord& sample : result.samples)
    EXPECT_EQ(sample.timing.scheduled_ms, sample.timing.issued_ms);
}

TEST(PlayLoad, PoissonKeepsTheScheduleThatTheSeedGives) {
  NullClient client(8, milliseconds(0));
  const Arrivals arrivals = parse_arrivals("poisson:200");
  const LoadResult result = play_load(client, some_requests(20), arrivals, 3, kNoTick);
  const auto due = poisson_arrivals(20, 200, 3);
  ASSERT_EQ(result.samples.size(), 20u);
  std::set<long> scheduled, expected;
  for (const double seconds : due) expected.insert(std::lround(seconds * 1e6));
  for (const SampleRecord& sample : result.samples) {
    scheduled.insert(std::lround(sample.timing.scheduled_ms * 1e3));
    EXPECT_GE(sample.timing.issued_ms, sample.timing.scheduled_ms) << "never before its time";
  }
  EXPECT_EQ(scheduled, expected);
}

TEST(PlayLoad, AWaitOnOurSideShowsFromTheScheduledTime) {
  // Twenty arrive within about 20 ms; one is served at a time, 10 ms each, and one may be in
  // flight.
  OneAtATimeClient client(milliseconds(10));
  Arrivals arrivals = parse_arrivals("poisson:1000");
  arrivals.max_in_flight = 1;
  const LoadResult result = play_load(client, some_requests(20), arrivals, 3, kNoTick);
  const LatencyMetrics latency = latency_metrics(result.samples);
  EXPECT_LT(latency.e2el_ms.p50, 60) << "from the issue, every request looks quick";
  EXPECT_GT(latency.scheduled_e2el_ms.max, 150) << "from its scheduled time, the last does not";
  EXPECT_GT(latency.queue_ms.max, 130);
}

TEST(PlayLoad, ARequestThatFailsIsASampleWithItsReason) {
  OneAtATimeClient client(milliseconds(0));
  client.fail = {2};
  const LoadResult result = play_load(client, some_requests(4), {}, 0, kNoTick);
  ASSERT_EQ(result.samples.size(), 4u);
  std::int64_t failed = 0;
  for (const SampleRecord& sample : result.samples) {
    failed += sample.failure == "out of memory";
    EXPECT_EQ(sample.failure.empty(), sample.timing.last_token_ms.has_value());
  }
  EXPECT_EQ(failed, 1);
}

TEST(MeasureLoad, TheRecordIsARunThatReportsCanRead) {
  NullClient client(4, milliseconds(1));
  RunRecord base;
  base.engine.name = "null";
  const MeasuredLoad measured =
      measure_load(client, base, some_requests(5), parse_arrivals("concurrency:2"), 1, kNoTick);
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / "measured-load";
  std::filesystem::remove_all(folder);
  write_load(folder, measured);
  const LoadedRun run = load_run(folder);
  ASSERT_TRUE(run.run.load);
  EXPECT_EQ(run.run.load->arrivals, "concurrency");
  EXPECT_EQ(run.run.load->max_in_flight, 2);
  EXPECT_EQ(run.run.run_id, "measured-load");
  EXPECT_EQ(run.samples.size(), 5u);
  EXPECT_TRUE(run.run.energy.empty() == !run.run.energy_note.empty())
      << "a missing meter has its reason";
  EXPECT_THROW(write_load(folder, measured), Error) << "never over another run";
}

}  // namespace
}  // namespace moebench
