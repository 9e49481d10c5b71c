#include "reports/claims/claims.h"

#include <gtest/gtest.h>

#include "../made_run.h"
#include "engine/base/error.h"
#include "reports/render/render.h"

namespace moebench {
namespace {

ClaimFile r2_claims() {
  return parse_claims(catalog_file("claims/deepseek-r2.json"), "deepseek-r2.json");
}

const std::vector<LoadedRun> kNoRuns;

TEST(DeepSeekR2, ItsOwnRowsAreNotTestableAndR1StandsBeside) {
  const ClaimFile file = r2_claims();
  ASSERT_EQ(file.claims.size(), 6u);
  const ClaimsResult result = test_claims(file, kNoRuns, built_in_catalog());
  for (std::size_t i = 0; i < file.claims.size(); ++i) {
    EXPECT_EQ(result.verdicts[i], ClaimVerdict::kNotTestable) << file.claims[i].id;
    for (std::size_t t = 0; t < file.claims[i].tests.size(); ++t) {
      const ClaimFinding& finding = result.findings[i][t];
      EXPECT_FALSE(finding.evidence.empty());
      if (finding.verdict == ClaimVerdict::kNotTestable) {
        EXPECT_FALSE(finding.would_decide.empty()) << finding.evidence;
      }
    }
  }
}

TEST(Claims, AnUnknownMetricIsNotTestableWhateverElseTheTestLacks) {
  for (const std::optional<double> limit : {std::optional<double>(), std::optional(0.5)}) {
    ClaimTest test{.metric = "beauty", .relation = "at-least", .subject = "a", .reference = "b"};
    test.limit = limit;
    const ClaimFinding finding = test_claim(test, kNoRuns, built_in_catalog());
    EXPECT_EQ(finding.verdict, ClaimVerdict::kNotTestable);
    EXPECT_NE(finding.evidence.find("beauty"), std::string::npos) << finding.evidence;
    EXPECT_NE(finding.would_decide.find("usd_per_correct"), std::string::npos);
  }
}

TEST(DeepSeekR2, R1IsWithinThreePointsOfO1OnMath500AndATenthOfItsPrice) {
  const Catalog& catalog = built_in_catalog();
  ClaimTest near{.metric = "accuracy",
                 .relation = "within",
                 .subject = "DeepSeek-R1",
                 .reference = "OpenAI o1",
                 .task = "math500"};
  near.margin_points = 3;
  EXPECT_EQ(test_claim(near, kNoRuns, catalog).verdict, ClaimVerdict::kSupported);
  near.margin_points = 1;
  EXPECT_EQ(test_claim(near, kNoRuns, catalog).verdict, ClaimVerdict::kInconclusive)
      << "500 questions can't show one point";
  near.reference = "GPT-4o";
  near.margin_points = 3;
  EXPECT_EQ(test_claim(near, kNoRuns, catalog).verdict, ClaimVerdict::kRefuted);
  near.relation = "at-least";
  EXPECT_EQ(test_claim(near, kNoRuns, catalog).verdict, ClaimVerdict::kSupported);
  near.reference = "OpenAI o1";
  near.task = "gsm8k";
  EXPECT_EQ(test_claim(near, kNoRuns, catalog).verdict, ClaimVerdict::kNotTestable)
      << "o1 has no published figure on GSM8K";

  ClaimTest price{.metric = "price_per_output_token",
                  .relation = "ratio-at-most",
                  .subject = "DeepSeek-R1",
                  .reference = "OpenAI o1"};
  price.limit = 0.1;
  EXPECT_EQ(test_claim(price, kNoRuns, catalog).verdict, ClaimVerdict::kSupported);
  price.limit = 0.03;
  EXPECT_EQ(test_claim(price, kNoRuns, catalog).verdict, ClaimVerdict::kRefuted);
}

TEST(Claims, RunsDecideWhatTheyMeasure) {
  const std::vector<LoadedRun> runs = {make_run({.label = "moe", .ms_per_token = 4}),
                                       make_run({.label = "dense-total", .ms_per_token = 40}),
                                       make_run({.label = "dense-active", .ms_per_token = 3})};
  const ClaimFile file = r2_claims();
  const ClaimsResult result = test_claims(file, runs, built_in_catalog());
  ASSERT_EQ(file.claims[3].id, "moe-cheaper-than-dense");
  EXPECT_EQ(result.findings[3][0].verdict, ClaimVerdict::kSupported)
      << result.findings[3][0].evidence;
  EXPECT_EQ(result.findings[3][1].verdict, ClaimVerdict::kRefuted)
      << result.findings[3][1].evidence;
  EXPECT_EQ(result.findings[3][0].provenance, Provenance::kMeasured);
}

TEST(Claims, RepeatedRunsGiveTheIntervalAndContextDecidesNothing) {
  std::vector<LoadedRun> runs;
  for (const double ms : {4.0, 4.1, 4.2})
    runs.push_back(make_run({.label = "moe", .ms_per_token = ms}));
  for (const double ms : {9.0, 7.6, 8.4})
    runs.push_back(make_run({.label = "dense", .ms_per_token = ms}));
  ClaimTest test{.metric = "usd_per_output_token",
                 .relation = "ratio-at-most",
                 .subject = "moe",
                 .reference = "dense"};
  test.limit = 0.8;
  const ClaimFinding finding = test_claim(test, runs, built_in_catalog());
  EXPECT_EQ(finding.verdict, ClaimVerdict::kSupported) << finding.evidence;
  EXPECT_NE(finding.evidence.find("over 3 and 3 runs"), std::string::npos) << finding.evidence;
  EXPECT_NE(finding.evidence.find("micro-USD"), std::string::npos) << finding.evidence;
  test.limit = 0.5;
  EXPECT_EQ(test_claim(test, runs, built_in_catalog()).verdict, ClaimVerdict::kInconclusive)
      << "three runs that differ by a tenth can't tell 0.5 from 0.5";

  Claim claim{"c", "s", "s", "2026", {test, test}};
  claim.tests[1].context = true;
  ClaimFinding supported, refuted;
  supported.verdict = ClaimVerdict::kSupported;
  refuted.verdict = ClaimVerdict::kRefuted;
  EXPECT_EQ(combine(claim, {supported, refuted}), ClaimVerdict::kSupported);
}

TEST(Claims, LoadsAreHeldAgainstEachOtherLoadByLoad) {
  std::vector<LoadedRun> runs;
  for (const double ms : {4.0, 30.0}) {
    for (const char* label : {"moe", "dense"}) {
      runs.push_back(make_run({.label = label, .ms_per_token = label[0] == 'm' ? ms : 20.0}));
      runs.back().run.load = LoadRecord{"concurrency", 0, ms < 10 ? 1 : 32, 0, "random"};
    }
  }
  ClaimTest test{.metric = "usd_per_output_token",
                 .relation = "ratio-at-most",
                 .subject = "moe",
                 .reference = "dense"};
  test.limit = 1;
  const ClaimFinding finding = test_claim(test, runs, built_in_catalog());
  EXPECT_EQ(finding.verdict, ClaimVerdict::kInconclusive) << finding.evidence;
  EXPECT_NE(finding.evidence.find("concurrency 1, random: "), std::string::npos);
  EXPECT_NE(finding.evidence.find("concurrency 32, random: "), std::string::npos);
  EXPECT_NE(finding.would_decide.find("the loads disagree"), std::string::npos);
}

TEST(Claims, AccuracyOfTwoRunsIsPaired) {
  const std::vector<LoadedRun> runs = {make_run({.label = "a", .ability = 0.8}),
                                       make_run({.label = "b", .seed = 3, .ability = 0.4})};
  ClaimTest test{.metric = "accuracy",
                 .relation = "at-least",
                 .subject = "b",
                 .reference = "a",
                 .task = "stories"};
  test.margin_points = 3;
  const ClaimFinding finding = test_claim(test, runs, built_in_catalog());
  EXPECT_EQ(finding.verdict, ClaimVerdict::kRefuted);
  EXPECT_NE(finding.evidence.find("paired"), std::string::npos) << finding.evidence;
}

TEST(Claims, AnUnknownMetricIsNotTestableAndSaysSo) {
  ClaimTest test{.metric = "vibes", .relation = "within", .subject = "a", .reference = "b"};
  test.limit = 1;
  const ClaimFinding finding = test_claim(test, kNoRuns, built_in_catalog());
  EXPECT_EQ(finding.verdict, ClaimVerdict::kNotTestable);
  EXPECT_NE(finding.evidence.find("vibes"), std::string::npos);
  EXPECT_NE(finding.would_decide.find("accuracy"), std::string::npos);
}

TEST(Claims, AMalformedFileIsAnErrorThatNamesThePlace) {
  for (const char* text : {"", "[]", R"({"schema": 1, "title": "t", "claims": [{"id": "x"}]})",
                           R"({"schema": 2, "title": "t", "claims": []})",
                           R"({"schema": 1, "title": "t", "claims": [], "more": 1})"})
    EXPECT_THROW(parse_claims(text, "file.json"), Error) << text;
}

TEST(Claims, TheReportShowsEveryVerdict) {
  const ClaimFile file = r2_claims();
  const std::string text =
      render_markdown(build_claims_report(file, test_claims(file, kNoRuns, built_in_catalog())));
  for (const Claim& claim : file.claims)
    EXPECT_NE(text.find("## " + claim.id), std::string::npos) << claim.id;
  EXPECT_NE(text.find("6 not testable"), std::string::npos);
}

}  // namespace
}  // namespace moebench
