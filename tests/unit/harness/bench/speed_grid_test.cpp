#include "harness/bench/speed_grid.h"

#include <gtest/gtest.h>

#include <deque>

#include "engine/base/error.h"
#include "harness/bench/speed_table.h"

namespace moebench {
namespace {

using std::chrono::milliseconds;

// An engine on a clock of its own: a step takes 10 ms whatever it holds; a prompt is read in one
// step, then each sequence gets a token a step. No time really passes.
class ClockworkClient final : public EngineClient {
 public:
  ClockworkClient() { info_.engine.vocab = 100; }

  std::vector<GenerationRequest> seen;
  bool one_after_the_other = false;
  std::int64_t stop_after = 1 << 30;  // tokens, to play an engine that ends too early

  const ClientInfo& info() const override { return info_; }
  std::int64_t max_in_flight() const override { return 64; }
  void submit(GenerationRequest request) override {
    seen.push_back(request);
    running_.push_back({request.id, std::min(request.max_tokens, stop_after), 0});
    now_ = std::max(now_, std::chrono::steady_clock::now());
  }
  void cancel(std::uint64_t) override {}
  std::vector<GenerationEvent> next_events(milliseconds) override {
    StepRecord step;
    step.begin = now_;
    now_ += milliseconds(10);
    step.end = now_;
    step.weight_bytes_read = 1000;
    step.flops = 500;
    steps_.push_back(step);
    std::vector<GenerationEvent> events;
    std::deque<Sequence> still;
    for (Sequence sequence : running_) {
      if (one_after_the_other && sequence.id != running_.front().id) {
        still.push_back(sequence);
        continue;
      }
      ++sequence.made;
      GenerationEvent event;
      event.request_id = sequence.id;
      event.time = now_;
      event.tokens = {1};
      if (sequence.made == sequence.wanted) {
        event.finish = FinishReason::kLength;
        event.usage.output_tokens = sequence.made;
      } else {
        still.push_back(sequence);
      }
      events.push_back(std::move(event));
    }
    running_ = std::move(still);
    return events;
  }
  std::vector<StepRecord> take_step_records() override { return std::exchange(steps_, {}); }

 private:
  struct Sequence {
    std::uint64_t id;
    std::int64_t wanted, made;
  };
  ClientInfo info_;
  std::chrono::steady_clock::time_point now_;
  std::deque<Sequence> running_;
  std::vector<StepRecord> steps_;
};

TEST(SpeedGrid, CountsTheTokensOfAWholeBatchOverTheDecodeAlone) {
  ClockworkClient client;
  SpeedGrid grid;
  grid.prompt_tokens = {};
  grid.generate_tokens = {20};
  grid.batches = {1, 8};
  grid.repetitions = 3;
  const std::vector<SpeedRow> rows = measure_speed_grid(client, grid, [](const SpeedRow&) {});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].test, "tg20");
  EXPECT_EQ(rows[1].test, "tg20 x 8");
  ASSERT_EQ(rows[0].tokens_per_second.size(), 3u);
  for (const double speed : rows[0].tokens_per_second) EXPECT_NEAR(speed, 100, 1e-6);
  for (const double speed : rows[1].tokens_per_second) EXPECT_NEAR(speed, 800, 1e-6);
  EXPECT_NEAR(rows[0].weight_bytes_per_second, 100'000, 1);
  EXPECT_NEAR(rows[0].flops_per_second, 50'000, 1);
}

TEST(SpeedGrid, PromptsAreRandomTokensAndIgnoreTheEnd) {
  ClockworkClient client;
  SpeedGrid grid;
  grid.prompt_tokens = {33};
  grid.generate_tokens = {};
  grid.repetitions = 2;
  measure_speed_grid(client, grid, [](const SpeedRow&) {});
  ASSERT_EQ(client.seen.size(), 3u) << "two counted, one to warm up";
  const auto& first = std::get<std::vector<std::int32_t>>(client.seen[0].prompt);
  const auto& second = std::get<std::vector<std::int32_t>>(client.seen[1].prompt);
  EXPECT_EQ(first.size(), 33u);
  EXPECT_NE(first, second);
  EXPECT_TRUE(client.seen[0].ignore_eos);
  for (const std::int32_t token : first) EXPECT_TRUE(token >= 0 && token < 100) << token;
}

TEST(SpeedGrid, RefusesAnEngineThatEndsEarly) {
  ClockworkClient client;
  client.stop_after = 5;
  SpeedGrid grid;
  grid.prompt_tokens = {};
  EXPECT_THROW(measure_speed_grid(client, grid, [](const SpeedRow&) {}), Error);
}

TEST(SpeedGrid, SaysSoWhenTheSequencesNeverDecodeTogether) {
  ClockworkClient client;
  client.one_after_the_other = true;
  SpeedGrid grid;
  grid.prompt_tokens = {};
  grid.batches = {2};
  EXPECT_THROW(measure_speed_grid(client, grid, [](const SpeedRow&) {}), Error);
}

TEST(Median, IsTheMiddleOne) {
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({5, 1, 3}), 3);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
}

TEST(SpeedTable, HoldsMedianLowestAndHighestInEveryFormat) {
  ClientInfo client;
  client.engine.model_name = "a \"model\"";
  SpeedRow row;
  row.test = "tg64";
  row.tokens_per_second = {10, 30, 20};
  for (const TableFormat format :
       {TableFormat::kMarkdown, TableFormat::kCsv, TableFormat::kJson, TableFormat::kJsonLines}) {
    const std::string text = speed_table(client, {row}, format);
    for (const char* number : {"10.0", "20.0", "30.0"}) {
      EXPECT_NE(text.find(number), std::string::npos) << number << " is missing in\n" << text;
    }
  }
  EXPECT_NE(speed_table(client, {row}, TableFormat::kCsv).find("\"a \"\"model\"\"\""),
            std::string::npos);
  EXPECT_THROW(parse_table_format("xml"), Error);
}

}  // namespace
}  // namespace moebench
