#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>

#include "../made_run.h"
#include "engine/base/error.h"
#include "reports/gate/gate_file.h"
#include "reports/history/change_points.h"
#include "reports/history/store.h"
#include "reports/history/trend.h"
#include "reports/render/render.h"

namespace moebench {
namespace {

std::vector<double> noise(std::uint64_t seed, std::size_t count, double sigma) {
  std::mt19937_64 random(seed);
  std::student_t_distribution<double> heavy(4);
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(sigma * heavy(random));
  return values;
}

TEST(ChangePoints, FindTheLevelsOfAKnownSeries) {
  std::vector<double> values = noise(1, 60, 0.01);
  for (std::size_t i = 20; i < 45; ++i) values[i] += 0.1;
  for (std::size_t i = 45; i < 60; ++i) values[i] -= 0.1;
  const auto changes = find_change_points(values);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_NEAR(static_cast<double>(changes[0].index), 20, 1);
  EXPECT_NEAR(static_cast<double>(changes[1].index), 45, 1);
  EXPECT_NEAR(changes[0].after - changes[0].before, 0.1, 0.02);
  EXPECT_LE(changes[0].p, 0.01);
}

TEST(ChangePoints, KnownNoiseAloneHasNone) {
  constexpr int kSeries = 200;
  int with_change = 0;
  for (int i = 0; i < kSeries; ++i) {
    ChangePointOptions options;
    options.permutations = 199;
    options.alpha = 0.05;
    options.seed = static_cast<std::uint64_t>(i) + 5;
    with_change +=
        find_change_points(noise(static_cast<std::uint64_t>(i) + 100, 25, 1), options).empty() ? 0
                                                                                               : 1;
  }
  EXPECT_LT(with_change, 0.10 * kSeries);  // nominal 5 %
}

TEST(ChangePoints, ShortAndConstantSeriesHaveNone) {
  EXPECT_TRUE(find_change_points({}).empty());
  EXPECT_TRUE(find_change_points(std::vector<double>{1, 2, 3, 4, 5}).empty());
  EXPECT_TRUE(find_change_points(std::vector<double>(50, 3.0)).empty());
}

class HistoryStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("moebench_history_" + std::to_string(getpid()) + "_" +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

HistoryRun entry(int number, double cpu) {
  HistoryRun run;
  run.run_id = "run" + std::to_string(number);
  char started[32];
  std::snprintf(started, sizeof started, "2026-01-%02dT00:00:00Z", number + 1);
  run.started_utc = started;
  run.commit = "commit" + std::to_string(number);
  run.series = "canary on a machine";
  run.label = "canary";
  run.figures = {{"cpu_ms_per_token", cpu}, {"accuracy_percent", 60}};
  return run;
}

TEST_F(HistoryStoreTest, KeepsRunsOnceAndInOrderOfTime) {
  const auto file = folder_ / "history.sqlite";
  {
    HistoryStore store(file, HistoryStore::Access::kWrite);
    EXPECT_TRUE(store.add(entry(5, 1.5)));
    EXPECT_TRUE(store.add(entry(2, 1.25)));
    EXPECT_FALSE(store.add(entry(5, 9)));
  }
  const HistoryStore store(file, HistoryStore::Access::kRead);
  const auto runs = store.runs();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].run_id, "run2");
  EXPECT_EQ(runs[1].figures.at("cpu_ms_per_token"), 1.5);
  EXPECT_EQ(store.integrity(), "ok");
}

TEST_F(HistoryStoreTest, RefusesWhatIsNoHistory) {
  const auto file = folder_ / "text";
  std::ofstream(file) << std::string(5000, 'x');
  EXPECT_THROW(HistoryStore(file, HistoryStore::Access::kRead), Error);
  EXPECT_THROW(HistoryStore(file, HistoryStore::Access::kWrite), Error);
  EXPECT_THROW(HistoryStore(folder_ / "missing", HistoryStore::Access::kRead), Error);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "missing"));
  EXPECT_THROW(HistoryStore(folder_ / "no" / "such" / "folder", HistoryStore::Access::kWrite),
               Error);
}

TEST(HistoryRunOf, HoldsTheFiguresOfARun) {
  LoadedRun run = make_run({});
  run.run.segments[0].cpu_seconds = 12;
  const HistoryRun made = history_run(run, "here");
  EXPECT_GT(made.figures.at("cpu_ms_per_token"), 0);
  EXPECT_GT(made.figures.at("accuracy_percent"), 10);
  run.samples.clear();
  EXPECT_THROW(history_run(run, "here"), Error);
}

std::vector<HistoryRun> slower_from(int change, int count) {
  std::vector<HistoryRun> runs;
  const auto wobble = noise(3, static_cast<std::size_t>(count), 0.003);
  for (int i = 0; i < count; ++i)
    runs.push_back(
        entry(i, (i >= change ? 1.1 : 1.0) * std::exp(wobble[static_cast<std::size_t>(i)])));
  return runs;
}

TEST(Trend, DatesAChangeToItsCommit) {
  TrendOptions options;
  options.metrics = default_gated_metrics();
  const auto runs = slower_from(14, 24);
  const auto trends = find_trends(runs, options);
  ASSERT_EQ(trends.size(), 2u);
  ASSERT_EQ(trends[0].changes.size(), 1u);
  EXPECT_NEAR(trends[0].worsening(trends[0].changes[0]), 0.1, 0.01);
  EXPECT_EQ(date_of(trends[0], trends[0].changes[0]),
            "commit14 (2026-01-15T00:00:00Z), last good commit13");
  EXPECT_TRUE(trends[1].changes.empty());
  const std::string html = render_html(build_history_report(runs, options, "History"));
  EXPECT_NE(html.find("<svg"), std::string::npos);
  EXPECT_NE(html.find("commit14"), std::string::npos);
}

TEST(Trend, TheGateFailsOnAWorseningAndNeedsATrend) {
  EXPECT_EQ(overall_verdict(gate_trend(slower_from(14, 24), default_gate_settings(), "h")),
            GateVerdict::kFail);
  EXPECT_EQ(overall_verdict(gate_trend(slower_from(99, 24), default_gate_settings(), "h")),
            GateVerdict::kPass);
  EXPECT_EQ(overall_verdict(gate_trend(slower_from(99, 5), default_gate_settings(), "h")),
            GateVerdict::kInconclusive);
  EXPECT_EQ(overall_verdict(gate_trend({}, default_gate_settings(), "h")),
            GateVerdict::kInconclusive);
}

}  // namespace
}  // namespace moebench
