#include "datasets/readers/readers.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "datasets/prompts/prompt.h"
#include "datasets/verdict.h"
#include "engine/base/error.h"

namespace moebench {
namespace {

namespace fs = std::filesystem;

class ReadersTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("moebench_readers_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& bytes) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }

  Task task(const std::string& file, const std::string& reader, const std::string& extra = "") {
    return parse_task(R"({"name":"t","title":"t","source":"s","protocol":"p","files":[{"file":")" +
                          file + R"(","reader":")" + reader + "\"" + extra +
                          R"(}],"prompt":{"form":"chat","question":"{question}"},"sampling":{},)" +
                          R"("extraction":{"kind":"boxed"},"grading":"math"})",
                      "t.json");
  }

  fs::path folder_;
};

TEST_F(ReadersTest, ReportsMalformedRowsAndKeepsTheOthers) {
  write("a.jsonl",
        "{\"question\": \"q\", \"answer\": \"x\\n#### 1,200\"}\n{oops\n\n"
        "{\"question\": \"q\"}\n{\"question\": \"r\", \"answer\": \"y #### 3\"}\n");
  const SampleSet set = read_samples(task("a.jsonl", "gsm8k"), folder_);
  ASSERT_EQ(set.samples.size(), 2u);
  EXPECT_EQ(set.samples[0].target, "1,200");
  EXPECT_EQ(set.samples[1].index, 3);
  EXPECT_EQ(set.samples[1].id, "t/3");
  ASSERT_EQ(set.malformed.size(), 2u);
  EXPECT_EQ(set.malformed[0].row, 1);
  EXPECT_EQ(set.malformed[1].reason, "lacks the field \"answer\"");
  EXPECT_FALSE(set.pinned);
}

TEST_F(ReadersTest, RefusesAFileWithAnotherSum) {
  write("a.jsonl", "{\"question\": \"q\", \"answer\": \"#### 1\"}\n");
  const std::string sum(64, 'a');
  try {
    read_samples(task("a.jsonl", "gsm8k", ",\"sha256\":\"" + sum + "\""), folder_);
    FAIL() << "a wrong sum must end the run";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kConfiguration);
    EXPECT_NE(std::string(error.what()).find("a.jsonl"), std::string::npos) << error.what();
    EXPECT_NE(error.remedy().find("data fetch"), std::string::npos) << error.remedy();
  }
}

TEST_F(ReadersTest, NamesWhatItLookedFor) {
  try {
    read_samples(task("missing.jsonl", "gsm8k"), folder_);
    FAIL() << "a missing file must end the run";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("missing.jsonl"), std::string::npos) << error.what();
  }
}

TEST_F(ReadersTest, ReadsTheMathTreeInNumericOrder) {
  const auto problem = [](const std::string& answer) {
    return R"({"problem":"p)" + answer +
           R"(","level":"Level 2","type":"Algebra","solution":"so \\boxed{)" + answer + R"(}"})";
  };
  write("MATH/test/algebra/10.json", problem("ten"));
  write("MATH/test/algebra/2.json", problem("\\\\frac{1}{2}"));
  const SampleSet set = read_samples(task("MATH/test", "math-tree"), folder_);
  ASSERT_EQ(set.samples.size(), 2u);
  EXPECT_EQ(set.samples[0].target, "\\frac{1}{2}");
  EXPECT_EQ(set.samples[0].level, "2");
  EXPECT_EQ(set.samples[0].id, "test/algebra/2.json");
  EXPECT_EQ(set.samples[1].target, "ten");
}

TEST(TaskTest, EveryBuiltInTaskLoads) {
  for (const std::string& name : list_tasks()) {
    const Task task = load_task(name);
    EXPECT_EQ(task.name, name);
    EXPECT_EQ(task.hash().size(), 64u);
    EXPECT_FALSE(task.protocol.empty()) << name << ": say whose protocol it follows";
  }
}

TEST(TaskTest, EmbeddedProblemsAreWholeAndTheirOwnSolutionsGradeCorrect) {
  int embedded = 0;
  for (const std::string& name : list_tasks()) {
    const Task task = load_task(name);
    if (!task.files[0].file.starts_with("embedded:")) continue;
    ++embedded;
    const SampleSet set = read_samples(task, {});
    EXPECT_EQ(set.samples.size(), name == "math-kinds-mini" ? 66u : 200u) << name;
    EXPECT_TRUE(set.malformed.empty()) << name << ": " << set.malformed[0].reason;
    for (const Sample& sample : set.samples) {
      EXPECT_FALSE(sample.level.empty()) << sample.id;
      const Verdict verdict = grade(task, sample, sample.solution, false);
      EXPECT_EQ(verdict.kind, VerdictKind::kCorrect) << sample.id << ": " << sample.solution;
    }
  }
  EXPECT_EQ(embedded, 3);
}

TEST(TaskTest, UnknownKeysAreErrors) {
  EXPECT_THROW(parse_task(R"({"name":"x","colour":1})", "x.json"), Error);
  EXPECT_THROW(parse_task("[]", "x.json"), Error);
  EXPECT_THROW(parse_task("{", "x.json"), Error);
  EXPECT_THROW(load_task("no-such-task"), Error);
}

TEST(PromptTest, ShotsComeBeforeTheQuestionAndBracesInDataAreLeftAlone) {
  Task task = load_task("gsm8k");
  task.prompt.shot_rows = {7};
  Sample shot;
  shot.question = "Q1 {target}";
  shot.solution = "S1";
  shot.target = "1";
  Sample sample;
  sample.question = "Q2";
  const Prompt prompt = build_prompt(task, {shot}, sample);
  EXPECT_EQ(prompt.text, "Question: Q1 {target}\nAnswer: S1\n\nQuestion: Q2\nAnswer:");
  EXPECT_THROW(build_prompt(task, {}, sample), Error);
}

}  // namespace
}  // namespace moebench
