#include "harness/run/run.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "engine/base/error.h"
#include "harness/run/run_directory.h"
#include "reports/record/record_files.h"

namespace moebench {
namespace {

namespace fs = std::filesystem;

class Run : public testing::Test {
 protected:
  Run() : folder_(fs::temp_directory_path() / ("moebench_run_test_" + std::to_string(getpid()))) {
    fs::remove_all(folder_);
  }
  ~Run() override { fs::remove_all(folder_); }

  static Settings settings() {
    return {{"model", "null"}, {"tasks", "gsm8k-mini,math-mini"}, {"limit", "20"}};
  }
  static void announce(const std::string&, bool) {}

  fs::path folder_;
};

// What must be equal however often a run was interrupted: everything but times.
std::vector<std::string> outcomes(const fs::path& directory) {
  std::vector<std::string> lines;
  for (SampleRecord sample : load_run(directory).samples) {
    sample.timing = {};
    sample.segment = 0;
    lines.push_back(to_json_line(sample));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

// Leaves the first `n_lines` whole lines of samples.jsonl and a piece of the next, and a run.json
// that says the run goes on: what SIGKILL leaves.
void cut_short(const fs::path& directory, int n_lines) {
  std::ifstream in(directory / "samples.jsonl");
  std::string text, line;
  for (int i = 0; i < n_lines && std::getline(in, line); ++i) text += line + "\n";
  std::getline(in, line);
  text += line.substr(0, line.size() / 2);
  in.close();
  std::ofstream(directory / "samples.jsonl", std::ios::trunc) << text;
  RunRecord run = load_run(directory).run;
  run.status = RunStatus::kRunning;
  write_run_record(directory, run);
}

TEST_F(Run, RecordsEveryAttemptAndSaysItIsComplete) {
  const RunOutcome outcome = start_run(settings(), folder_ / "a", announce);
  EXPECT_EQ(outcome.answered, 40);
  EXPECT_EQ(outcome.planned, 40);
  const LoadedRun loaded = load_run(folder_ / "a");
  EXPECT_EQ(loaded.run.status, RunStatus::kComplete);
  EXPECT_EQ(loaded.run.run_id, "a");
  EXPECT_EQ(loaded.samples.size(), 40u);
  ASSERT_EQ(loaded.run.tasks.size(), 2u);
  EXPECT_EQ(loaded.run.tasks[0].counts.total(), 20);
  EXPECT_FALSE(loaded.run.build.commit.empty());
  EXPECT_GT(loaded.run.environment.logical_cores, 0);
}

TEST_F(Run, ResumedAfterAKillEqualsARunNeverKilled) {
  start_run(settings(), folder_ / "whole", announce);
  for (const int kept : {0, 1, 19, 20, 39}) {
    const fs::path directory = folder_ / ("cut" + std::to_string(kept));
    start_run(settings(), directory, announce);
    cut_short(directory, kept);
    const RunOutcome outcome = resume_run(directory, {}, announce);
    EXPECT_EQ(outcome.answered, 40);
    EXPECT_EQ(outcomes(directory), outcomes(folder_ / "whole")) << "kept " << kept << " lines";
    const LoadedRun loaded = load_run(directory);
    EXPECT_EQ(loaded.run.status, RunStatus::kComplete);
    EXPECT_EQ(loaded.run.segments.size(), 2u);
  }
}

TEST_F(Run, ResumingACompleteRunAddsNothing) {
  start_run(settings(), folder_ / "a", announce);
  const auto before = outcomes(folder_ / "a");
  EXPECT_EQ(resume_run(folder_ / "a", {}, announce).answered, 40);
  EXPECT_EQ(outcomes(folder_ / "a"), before);
}

TEST_F(Run, RefusesAFolderThatHoldsARun) {
  start_run(settings(), folder_ / "a", announce);
  EXPECT_THROW(start_run(settings(), folder_ / "a", announce), Error);
}

TEST_F(Run, RefusesToResumeWithOtherSettingsOrOtherQuestions) {
  start_run(settings(), folder_ / "a", announce);
  cut_short(folder_ / "a", 5);
  EXPECT_THROW(resume_run(folder_ / "a", {{"limit", "30"}}, announce), Error);

  RunRecord run = load_run(folder_ / "a").run;
  run.tasks[1].data_sha256 = std::string(64, '0');
  write_run_record(folder_ / "a", run);
  try {
    resume_run(folder_ / "a", {}, announce);
    FAIL() << "the data is not what was recorded, yet the run went on";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("math-mini"), std::string::npos) << error.what();
  }
}

TEST_F(Run, RefusesSamplesThatItNeverAsked) {
  start_run(settings(), folder_ / "a", announce);
  cut_short(folder_ / "a", 5);
  SampleRecord foreign = load_run(folder_ / "a").samples[0];
  foreign.question_id = "somebody else's";
  JsonLinesWriter(folder_ / "a" / "samples.jsonl").append(foreign);
  EXPECT_THROW(resume_run(folder_ / "a", {}, announce), Error);
}

TEST_F(Run, LetsOneProcessWriteAFolderAtATime) {
  const RunDirectoryLock lock(folder_ / "a");
  EXPECT_THROW(start_run(settings(), folder_ / "a", announce), Error);
}

TEST_F(Run, MeasuresNoOverheadAgainstItself) {
  start_run(settings(), folder_ / "a", announce);
  EXPECT_FALSE(load_run(folder_ / "a").run.overhead.has_value());
}

}  // namespace
}  // namespace moebench
