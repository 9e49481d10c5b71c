#include "harness/score/score.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine/base/error.h"

namespace moebench {
namespace {

namespace fs = std::filesystem;

class ScoreTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("moebench_score_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  fs::path folder_;
};

TEST_F(ScoreTest, ReadsLmEvalSamples) {
  ScoreRequest request;
  request.task = "gsm8k";
  request.input = write(
      "samples_gsm8k.jsonl",
      R"({"doc_id":0,"doc":{"question":"q","answer":"s\n#### 18"},"target":"s\n#### 18","resps":[["So 18.\n#### 18"]],"exact_match":1.0})"
      "\n"
      R"({"doc_id":1,"doc":{"question":"q","answer":"s\n#### 5"},"target":"s\n#### 5","resps":[["#### 6"]],"exact_match":0.0})"
      "\n{broken\n");
  const ScoreReport report = score(request);
  ASSERT_EQ(report.rows.size(), 2u);
  EXPECT_EQ(report.rows[0].verdict.kind, VerdictKind::kCorrect);
  EXPECT_EQ(report.rows[1].verdict.kind, VerdictKind::kWrong);
  EXPECT_EQ(report.rows[1].target, "5");
  ASSERT_EQ(report.unscored.size(), 1u);
  EXPECT_EQ(report.unscored[0].row, 2);
}

TEST_F(ScoreTest, ReadsOpenAiStyleAndNamedFields) {
  ScoreRequest request;
  request.input = write(
      "openai.jsonl",
      R"({"custom_id":"a","gold":"\\frac{1}{2}","response":{"body":{"choices":[{"message":{"content":"\\boxed{0.5}"},"finish_reason":"stop"}]}}})"
      "\n");
  EXPECT_EQ(score(request).count(VerdictKind::kCorrect), 1);
  request.input = write("pairs.jsonl", R"j({"mine":"x<3","theirs":"(-\\infty,3)"})j"
                                       "\n"
                                       R"j({"mine":"x<3","theirs":"(-\\infty,3]"})j"
                                       "\n");
  EXPECT_THROW(score(request), Error) << "no known field: the names must be asked for";
  request.answer_field = "theirs";
  request.target_field = "mine";
  request.bare_answers = true;
  const ScoreReport report = score(request);
  EXPECT_EQ(report.count(VerdictKind::kCorrect), 1);
  EXPECT_EQ(report.count(VerdictKind::kWrong), 1);
}

TEST_F(ScoreTest, RegradesARunsFolderAndShowsWhatChanged) {
  const std::string old_rows =
      R"({"task":"math","question_id":"math/0","attempt":0,"output":"\\boxed{0.5}","finish_reason":"eos","verdict":"wrong","extracted":"0.5","target":"\\frac12"})"
      "\n"
      R"({"task":"math","question_id":"math/1","attempt":0,"output":"<think>so","finish_reason":"length","verdict":"truncated","target":"3"})"
      "\n"
      R"({"task":"math","question_id":"math/2","attempt":0,"output":"","verdict":"failed","failure":"no memory","target":"3"})"
      "\n";
  write("samples.jsonl", old_rows);
  ScoreRequest request;
  request.input = folder_;
  const ScoreReport report = score(request);
  ASSERT_EQ(report.rows.size(), 3u);
  EXPECT_EQ(report.rows[0].verdict.kind, VerdictKind::kCorrect);
  EXPECT_EQ(report.rows[1].verdict.kind, VerdictKind::kTruncated);
  EXPECT_EQ(report.rows[2].verdict.kind, VerdictKind::kFailed);
  std::string lines;
  for (const ScoredRow& row : report.rows) lines += to_json_line(row) + "\n";
  const std::vector<ChangedVerdict> changes = diff_verdicts(folder_, write("new.jsonl", lines));
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].key, "math math/0 0");
  EXPECT_EQ(changes[0].old_verdict, "wrong");
  EXPECT_EQ(changes[0].new_verdict, "correct");
}

}  // namespace
}  // namespace moebench
