#include "reports/metrics/latency.h"

#include <gtest/gtest.h>

#include "engine/base/error.h"

namespace moebench {
namespace {

SampleRecord request(double scheduled, double issued, double first, double last,
                     std::int64_t tokens) {
  SampleRecord s;
  s.verdict = verdicts::kCorrect;
  s.output_tokens = tokens;
  s.timing.scheduled_ms = scheduled;
  s.timing.issued_ms = issued;
  s.timing.first_token_ms = first;
  s.timing.last_token_ms = last;
  return s;
}

TEST(Latency, TpotLeavesTheFirstTokenOut) {
  // vLLM: (E2EL - TTFT) / (output tokens - 1) = (500 - 100) / 4.
  EXPECT_DOUBLE_EQ(*tpot_ms(request(0, 0, 100, 500, 5)), 100);
  EXPECT_DOUBLE_EQ(*interactivity_tokens_per_second(request(0, 0, 100, 500, 5)), 10);
  EXPECT_FALSE(tpot_ms(request(0, 0, 100, 100, 1))) << "undefined for a single token";
}

TEST(Latency, ItlPoolsTheGapsOfAllRequests) {
  SampleRecord a = request(0, 0, 10, 40, 3), b = request(0, 0, 10, 12, 2);
  a.timing.chunk_ms = {10, 20, 40};
  b.timing.chunk_ms = {10, 12};
  const std::vector<SampleRecord> samples = {a, b};
  const LatencyMetrics metrics = latency_metrics(samples);
  EXPECT_EQ(metrics.itl_ms.count, 3u);
  EXPECT_DOUBLE_EQ(metrics.itl_ms.mean, (10 + 20 + 2) / 3.0);
}

TEST(Latency, TheWaitInOurOwnQueueIsNotHidden) {
  const std::vector<SampleRecord> samples = {request(100, 150, 30, 80, 4)};
  const LatencyMetrics metrics = latency_metrics(samples);
  EXPECT_DOUBLE_EQ(metrics.queue_ms.mean, 50);
  EXPECT_DOUBLE_EQ(metrics.e2el_ms.mean, 80);
  EXPECT_DOUBLE_EQ(metrics.scheduled_e2el_ms.mean, 130);
}

TEST(Goodput, ARequestThatWeKeptWaitingIsNotGood) {
  const ServiceLevel limits = parse_service_level("ttft:100");
  // 30 ms from the issue, 130 ms from the moment when it should have been sent.
  const std::vector<SampleRecord> samples = {request(0, 100, 30, 80, 4), request(0, 60, 30, 80, 4)};
  EXPECT_EQ(goodput(samples, limits, 1).good_requests, 1);
  EXPECT_DOUBLE_EQ(latency_metrics(samples).scheduled_ttft_ms.max, 130);
  EXPECT_EQ(service_level_words(limits), "TTFT at most 100 ms");
}

TEST(Latency, ARequestThatNeverFinishedIsInNoDistribution) {
  SampleRecord failed;
  failed.verdict = verdicts::kFailed;
  const std::vector<SampleRecord> samples = {failed};
  const LatencyMetrics metrics = latency_metrics(samples);
  EXPECT_EQ(metrics.ttft_ms.count, 0u);
  EXPECT_EQ(metrics.queue_ms.count, 0u);
}

TEST(Goodput, ARequestMustMeetEveryLimit) {
  const ServiceLevel limits = parse_service_level("ttft:100 tpot:50");
  SampleRecord failed;
  const std::vector<SampleRecord> samples = {
      request(0, 0, 100, 140, 2),  // both met, just
      request(0, 0, 101, 110, 2),  // TTFT missed
      request(0, 0, 50, 200, 3),   // TPOT 75 missed
      request(0, 0, 90, 90, 1),    // one token: TPOT does not apply
      failed};
  const Goodput good = goodput(samples, limits, 4);
  EXPECT_EQ(good.good_requests, 2);
  EXPECT_EQ(good.requests, 5);
  EXPECT_DOUBLE_EQ(good.requests_per_second, 0.5);
}

TEST(Goodput, UnreadableLimitsAreNamed) {
  for (const char* text : {"", "ttft", "ttft:", "ttft:-3", "ttft:1x", "speed:3", "ttft:1 ttft:2"})
    EXPECT_THROW(parse_service_level(text), Error) << text;
  EXPECT_DOUBLE_EQ(*parse_service_level("ttft:2000,tpot:80").tpot_ms, 80);
}

}  // namespace
}  // namespace moebench
