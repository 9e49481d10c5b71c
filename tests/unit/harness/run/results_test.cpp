#include "harness/run/results.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace moebench {
namespace {

RunPlan plan(const std::string& shard = {}) {
  Settings typed = {{"model", "null"},
                    {"tasks", "gsm8k-mini,math-mini"},
                    {"limit", "5"},
                    {"samples", "3"},
                    {"temperature", "1"}};
  if (!shard.empty()) typed["shard"] = shard;
  return make_plan(parse_run_settings(typed));
}

// Answers that are equal in value and differ in text, so that a cluster's name tells who was first.
std::vector<SampleRecord> samples(const RunPlan& plan) {
  const char* texts[] = {"0.5", "1/2", "7"};
  std::vector<SampleRecord> all;
  for (const Attempt& attempt : plan.attempts()) {
    const PlannedTask& task = plan.tasks[attempt.task];
    SampleRecord& sample = all.emplace_back();
    sample.task = task.task.name;
    sample.question_id = task.questions[attempt.question].id;
    sample.attempt = attempt.index;
    sample.verdict = verdicts::kWrong;
    sample.extracted = texts[attempt.index];
  }
  return all;
}

TEST(Results, DependOnNoOrderOfAnswers) {
  const RunPlan all = plan();
  std::vector<SampleRecord> ordered = samples(all);
  put_in_order(all, ordered);
  ASSERT_EQ(ordered.size(), 30u);
  EXPECT_EQ(ordered[15].answer_cluster, "0.5");
  EXPECT_EQ(ordered[16].answer_cluster, "0.5") << "1/2 is 0.5, which was first";
  EXPECT_EQ(ordered[17].answer_cluster, "7");
  std::mt19937 random(3);
  for (int round = 0; round < 20; ++round) {
    std::vector<SampleRecord> shuffled = samples(all);
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    for (SampleRecord& sample : shuffled) {
      sample.timing.issued_ms = random() % 1000;
      sample.segment = random() % 3;
      sample.cached_tokens = random() % 5;
      sample.retries = random() % 3;
    }
    put_in_order(all, shuffled);
    EXPECT_EQ(results_sha256(shuffled), results_sha256(ordered));
  }
}

TEST(Results, HashWhatIsAResultAndNothingElse) {
  const std::vector<SampleRecord> before = samples(plan());
  std::vector<SampleRecord> after = before;
  after[4].output = "other";
  EXPECT_NE(results_sha256(after), results_sha256(before));
  after = before;
  std::swap(after[0], after[1]);
  EXPECT_NE(results_sha256(after), results_sha256(before));
  after = before;
  after[4].timing.first_token_ms = 3;
  EXPECT_EQ(results_sha256(after), results_sha256(before));
}

TEST(Results, ShardsShareTheQuestionsOutInTurn) {
  const RunPlan all = plan();
  const RunPlan parts[] = {plan("1/2"), plan("2/2")};
  for (std::size_t task = 0; task < 2; ++task) {
    EXPECT_EQ(parts[0].tasks[task].questions.size(), 3u);
    EXPECT_EQ(parts[1].tasks[task].questions.size(), 2u);
    for (std::size_t i = 0; i < 5; ++i)
      EXPECT_EQ(parts[i % 2].tasks[task].questions[i / 2].id, all.tasks[task].questions[i].id);
  }
  EXPECT_EQ(plan("9/9").attempts().size(), 0u);
}

}  // namespace
}  // namespace moebench
