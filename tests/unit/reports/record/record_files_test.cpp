#include "reports/record/record_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "engine/base/error.h"

namespace moebench {
namespace {

namespace fs = std::filesystem;

class RecordFiles : public testing::Test {
 protected:
  void SetUp() override {
    directory_ =
        fs::temp_directory_path() / ("moebench_record_" + std::to_string(::getpid()) + "_" +
                                     testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(directory_);
    fs::create_directories(directory_);
  }
  void TearDown() override { fs::remove_all(directory_); }

  static SampleRecord sample(int number, const char* verdict = verdicts::kCorrect) {
    SampleRecord s;
    s.task = "t";
    s.question_id = "q" + std::to_string(number);
    s.verdict = verdict;
    return s;
  }
  fs::path samples_file() const { return directory_ / "samples.jsonl"; }
  void append_raw(const std::string& text) const {
    std::ofstream(samples_file(), std::ios::app | std::ios::binary) << text;
  }

  fs::path directory_;
};

TEST_F(RecordFiles, WhatWasAppendedIsThereAtOnce) {
  JsonLinesWriter writer(samples_file());
  writer.append(sample(0));
  EXPECT_EQ(read_samples(samples_file()).samples.size(), 1u);
  writer.append(sample(1));
  EXPECT_EQ(read_samples(samples_file()).samples.size(), 2u);
}

TEST_F(RecordFiles, AnInterruptedWriteIsReportedThenCutOffOnResume) {
  { JsonLinesWriter(samples_file()).append(sample(0)); }
  append_raw("{\"task\":\"t\",\"question_id\":\"q1\",\"att");
  const SamplesFile damaged = read_samples(samples_file());
  EXPECT_EQ(damaged.samples.size(), 1u);
  EXPECT_GT(damaged.dropped_bytes, 0u);
  ASSERT_EQ(damaged.warnings.size(), 1u);

  { JsonLinesWriter(samples_file()).append(sample(1)); }
  const SamplesFile resumed = read_samples(samples_file());
  ASSERT_EQ(resumed.samples.size(), 2u);
  EXPECT_EQ(resumed.samples[1].question_id, "q1");
  EXPECT_EQ(resumed.dropped_bytes, 0u);
}

TEST_F(RecordFiles, AFileThatIsOneHalfLineResumesEmpty) {
  append_raw(std::string(10000, 'x'));
  { JsonLinesWriter(samples_file()).append(sample(0)); }
  EXPECT_EQ(read_samples(samples_file()).samples.size(), 1u);
}

TEST_F(RecordFiles, ABrokenCompleteLineIsAnErrorWithItsNumber) {
  { JsonLinesWriter(samples_file()).append(sample(0)); }
  append_raw("not json\n");
  try {
    read_samples(samples_file());
    FAIL() << "a damaged line in the middle must not be skipped in silence";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("samples.jsonl:2"), std::string::npos) << error.what();
  }
}

TEST_F(RecordFiles, OfARepeatedAttemptTheFirstCounts) {
  {
    JsonLinesWriter writer(samples_file());
    writer.append(sample(0, verdicts::kWrong));
    writer.append(sample(0, verdicts::kCorrect));
  }
  const SamplesFile file = read_samples(samples_file());
  ASSERT_EQ(file.samples.size(), 1u);
  EXPECT_EQ(file.samples[0].verdict, verdicts::kWrong);
  EXPECT_EQ(file.warnings.size(), 1u);
}

TEST_F(RecordFiles, ARunIsReadFromItsDirectoryAndFromItsFile) {
  RunRecord run;
  run.run_id = "r";
  write_run_record(directory_, run);
  write_run_record(directory_, run);  // replaces
  EXPECT_FALSE(fs::exists(directory_ / "run.json.new"));
  EXPECT_EQ(load_run(directory_).run.run_id, "r");
  const LoadedRun loaded = load_run(directory_ / "run.json");
  EXPECT_TRUE(loaded.samples.empty());
  EXPECT_EQ(loaded.warnings.size(), 1u) << "a run without samples.jsonl says so";
}

TEST_F(RecordFiles, AFolderWithoutARunIsAUsageError) {
  try {
    load_run(directory_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
  }
}

TEST_F(RecordFiles, AFullDiskIsAnError) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  JsonLinesWriter writer("/dev/full");
  EXPECT_THROW(writer.append(sample(0)), Error);
}

TEST(SummarizeSteps, SplitsByWhatAStepDid) {
  const std::vector<StepSample> steps = {
      {.begin_ms = 0, .end_ms = 10, .prefill_tokens = 64},
      {.begin_ms = 10, .end_ms = 14, .decode_tokens = 2, .flops = 5},
      {.begin_ms = 14, .end_ms = 19, .decode_tokens = 2, .flops = 6},
      {.begin_ms = 20, .end_ms = 40, .prefill_tokens = 30, .decode_tokens = 2}};
  const auto kinds = summarize_steps(steps);
  ASSERT_EQ(kinds.size(), 3u);
  EXPECT_EQ(kinds[0].kind, "prefill");
  EXPECT_EQ(kinds[0].prefill_tokens, 64);
  EXPECT_DOUBLE_EQ(kinds[1].seconds, 0.009);
  EXPECT_EQ(kinds[1].steps, 2);
  EXPECT_DOUBLE_EQ(kinds[1].flops, 11);
  EXPECT_EQ(kinds[2].prefill_tokens, 30);
}

}  // namespace
}  // namespace moebench
