#include "reports/run_report/load_report.h"

#include <gtest/gtest.h>

#include "../made_run.h"
#include "reports/metrics/accuracy.h"
#include "reports/render/render.h"

namespace moebench {
namespace {

LoadedRun load_test() {
  LoadedRun run = make_run({.questions = 20});
  run.run.load = LoadRecord{"poisson", 2.5, 4, 7, "64 random tokens, 16 generated"};
  for (SampleRecord& sample : run.samples) sample.verdict = verdicts::kUngraded;
  run.samples[0].timing.issued_ms += 50;  // kept waiting by us
  return run;
}

TEST(LoadReport, NothingUngradedIsEverCountedAsWrong) {
  const LoadedRun run = load_test();
  EXPECT_TRUE(accuracy_by_task(run.samples).empty());
  VerdictCounts counts;
  for (const SampleRecord& sample : run.samples) count_verdict(counts, sample);
  EXPECT_EQ(counts.total(), 0);
  const std::string text = render_markdown(build_run_report(run));
  EXPECT_EQ(text.find("## Accuracy"), std::string::npos) << text;
  EXPECT_EQ(text.find("correct answer"), std::string::npos) << text;
  EXPECT_NE(text.find("A load test: poisson 2.50 requests/s, at most 4 in flight, 64 random"),
            std::string::npos)
      << text;
}

TEST(LoadReport, TellsTheWaitOnOurSideAndTheGoodput) {
  const std::vector<LoadedRun> runs = {load_test()};
  RunReportOptions options;
  options.goodput = parse_service_level("ttft:20 tpot:100");
  const std::string text = render_markdown(build_load_report(runs, options));
  EXPECT_NE(text.find("wait in our queue"), std::string::npos) << text;
  EXPECT_NE(text.find("TTFT from scheduled"), std::string::npos) << text;
  EXPECT_NE(text.find("TTFT at most 20 ms, TPOT at most 100 ms"), std::string::npos) << text;
}

TEST(LoadReport, FiguresAreTheMetricsUnrounded) {
  const std::vector<LoadedRun> runs = {load_test()};
  const Table table = load_figures(runs, {});
  ASSERT_EQ(table.rows.size(), 1u);
  ASSERT_EQ(table.rows[0].size(), table.columns.size());
  const auto value = [&](const std::string& key) {
    for (std::size_t c = 0; c < table.columns.size(); ++c)
      if (table.columns[c].key == key) return table.rows[0][c].value;
    ADD_FAILURE() << "no column " << key;
    return std::optional<double>();
  };
  const LatencyMetrics latency = latency_metrics(runs[0].samples);
  EXPECT_EQ(value("ttft_p99_ms"), latency.ttft_ms.p99);
  EXPECT_EQ(value("scheduled_e2el_mean_ms"), latency.scheduled_e2el_ms.mean);
  EXPECT_EQ(value("queue_mean_ms"), latency.queue_ms.mean);
  EXPECT_EQ(value("interactivity_p50_tokens_per_second_per_user"),
            latency.interactivity_tokens_per_second.p50);
  EXPECT_FALSE(value("itl_p50_ms")) << "no chunk times were kept, so there is none";
  EXPECT_FALSE(value("energy_joules")) << "absent, not zero";
  EXPECT_FALSE(value("retries")) << "absent, not zero";
}

}  // namespace
}  // namespace moebench
