#include "reports/run_report/run_report.h"

#include <gtest/gtest.h>

#include "../made_run.h"
#include "reports/render/render.h"

namespace moebench {
namespace {

TEST(RunReport, SaysAccuracySpeedAndCost) {
  const Document document = build_run_report(make_run({}));
  const std::string text = render_console(document);
  for (const char* word : {"stories", "algebra", "unparsed", "truncated", "decode", "TTFT", "TPOT",
                           "USD/M", "per correct answer", "--usd-per-hour"})
    EXPECT_NE(text.find(word), std::string::npos) << word << " is not in\n" << text;
}

TEST(RunReport, APartialRunSaysSoFirst) {
  LoadedRun run = make_run({});
  run.run.status = RunStatus::kPartial;
  run.samples.resize(100);
  const Document document = build_run_report(run);
  ASSERT_FALSE(document.sections.empty());
  const auto* note = std::get_if<Paragraph>(&document.sections[0].blocks.at(0));
  ASSERT_TRUE(note);
  EXPECT_NE(note->text.find("partial: 100 of 400"), std::string::npos) << note->text;
}

TEST(RunReport, ARunWithoutSamplesIsAReportThatSaysSo) {
  LoadedRun run = make_run({});
  run.samples.clear();
  EXPECT_NE(render_console(build_run_report(run)).find("no samples"), std::string::npos);
}

TEST(RunReport, SaysHowManyRequestsWereAskedAgainWhereTheSamplesTell) {
  LoadedRun run = make_run({});
  EXPECT_EQ(render_csv(build_run_report(run)).find("asked again"), std::string::npos)
      << "unknown is not zero";
  for (SampleRecord& sample : run.samples) sample.retries = 0;
  run.samples[3].retries = 4;
  run.samples[9].retries = 1;
  const std::string csv = render_csv(build_run_report(run));
  EXPECT_NE(csv.find("within their latency,value,,2,"), std::string::npos) << csv;
  EXPECT_NE(csv.find("throughput,further attempts at them / attempts / retries,value,,5,"),
            std::string::npos)
      << csv;
}

TEST(RunReport, WithoutAPriceTheCostIsUnknownNotZero) {
  LoadedRun run = make_run({});
  run.run.price.reset();
  const std::string text = render_console(build_run_report(run));
  EXPECT_NE(text.find("--usd-per-hour"), std::string::npos);
  EXPECT_EQ(text.find("USD/M"), std::string::npos);
}

TEST(RunReport, EveryRenderingOfARealReportIsWellFormed) {
  const Document document = build_run_report(make_run({.attempts = 2}));
  EXPECT_NE(render_markdown(document).find("## Accuracy"), std::string::npos);
  EXPECT_NE(render_csv(document).find("accuracy-by-task,stories,accuracy_percent"),
            std::string::npos);
  EXPECT_NE(render_json(document).find("\"accuracy-by-level\""), std::string::npos);
  EXPECT_NE(render_csv(document).find("attempts,stories,pass_at_k_percent"), std::string::npos);
  EXPECT_NE(render_html(document).find("</html>"), std::string::npos);
}

}  // namespace
}  // namespace moebench
