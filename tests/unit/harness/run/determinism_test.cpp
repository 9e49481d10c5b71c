#include "harness/run/determinism.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine/base/error.h"
#include "reports/record/record_files.h"

namespace moebench {
namespace {

namespace fs = std::filesystem;

class Determinism : public testing::Test {
 protected:
  Determinism()
      : folder_(fs::temp_directory_path() / ("moebench_determinism_" + std::to_string(getpid()))) {
    fs::remove_all(folder_);
  }
  ~Determinism() override { fs::remove_all(folder_); }

  static void announce(const std::string&, bool) {}

  fs::path folder_;
};

// Rewrites the recorded answers as if the engine had said something else then.
void change_recorded_output(const fs::path& directory, std::size_t index) {
  std::vector<SampleRecord> samples = load_run(directory).samples;
  samples[index].output = "Another answer.";
  samples[index].output_sha256 = std::string(64, 'a');
  std::ofstream out(directory / "samples.jsonl", std::ios::trunc);
  for (const SampleRecord& sample : samples) out << to_json_line(sample) << "\n";
}

TEST_F(Determinism, TheCanaryAnswersAsRecordedAtEveryBatchSize) {
  start_run({{"model", "canary"}, {"tasks", "gsm8k-mini"}, {"limit", "9"}}, folder_, announce);
  const DeterminismResult result =
      check_determinism(folder_, {.answers = 9, .batch_sizes = {1, 2, 7}}, announce);
  EXPECT_EQ(result.answers, 9);
  ASSERT_EQ(result.passes.size(), 3u);
  for (const DeterminismPass& pass : result.passes) {
    EXPECT_EQ(pass.equal, 9) << pass.name
                             << ": run moebench check determinism and look at where "
                                "the first difference stands";
    EXPECT_EQ(pass.different, 0) << pass.name;
  }
  EXPECT_TRUE(result.passes_agree);
}

TEST_F(Determinism, AnAnswerThatDiffersIsNamedWithThePlaceWhereItParts) {
  start_run({{"model", "null"}, {"tasks", "gsm8k-mini"}, {"limit", "6"}}, folder_, announce);
  change_recorded_output(folder_, 4);
  const std::string question = load_run(folder_).samples[4].question_id;
  const DeterminismResult result =
      check_determinism(folder_, {.answers = 6, .batch_sizes = {1, 3}}, announce);
  ASSERT_EQ(result.differences.size(), 2u);  // one a pass
  EXPECT_EQ(result.differences[0].question_id, question);
  EXPECT_EQ(result.differences[0].first_character, 0u);
  EXPECT_EQ(result.differences[0].recorded, "Another answer.");
  EXPECT_EQ(result.passes[0].equal, 5);
  EXPECT_TRUE(result.passes_agree) << "both passes gave the same texts";
}

TEST_F(Determinism, ChoosesAnswersSpreadOverTheWholeRun) {
  start_run({{"model", "null"}, {"tasks", "gsm8k-mini,math-mini"}, {"limit", "10"}}, folder_,
            announce);
  change_recorded_output(folder_, 10);
  const DeterminismResult result =
      check_determinism(folder_, {.answers = 2, .batch_sizes = {1}}, announce);
  EXPECT_EQ(result.answers, 2);
  ASSERT_EQ(result.differences.size(), 1u);
  EXPECT_EQ(result.differences[0].task, "math-mini");
}

TEST_F(Determinism, ARunWithoutAnswersIsRefused) {
  start_run({{"model", "null"}, {"tasks", "gsm8k-mini"}, {"limit", "1"}}, folder_, announce);
  std::ofstream(folder_ / "samples.jsonl", std::ios::trunc);
  EXPECT_THROW(check_determinism(folder_, {}, announce), Error);
}

}  // namespace
}  // namespace moebench
