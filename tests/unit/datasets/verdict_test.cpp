#include "datasets/verdict.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace moebench {
namespace {

/// Outputs as models write them, each with the verdict that it deserves: a table to read and to
/// add to.
TEST(VerdictTest, AgreesWithEveryLabelledOutput) {
  std::ifstream in(MOEBENCH_SOURCE_DIR "/tests/unit/datasets/extraction/labelled_outputs.jsonl");
  const std::map<std::string, Task> tasks{{"math", load_task("math")},
                                          {"gsm8k", load_task("gsm8k")}};
  int rows = 0;
  for (std::string line; std::getline(in, line); ++rows) {
    const auto row = nlohmann::json::parse(line);
    Sample sample;
    sample.target = row.at("gold");
    const std::string output = row.at("output");
    const Verdict verdict = grade(tasks.at(row.at("task")), sample, output, false);
    EXPECT_EQ(to_string(verdict.kind), row.at("verdict").get<std::string>())
        << row.at("task") << ", gold " << sample.target << "\n"
        << output << "\nextracted by " << to_string(verdict.rule) << ": " << verdict.extracted
        << "\nreason " << to_string(verdict.reason) << " " << verdict.detail;
  }
  EXPECT_GE(rows, 400) << "labelled_outputs.jsonl is missing or cut";
}

TEST(VerdictTest, AnAnswerStatedInTimeCountsThoughTheOutputWasCutOff) {
  const Task task = load_task("math");
  Sample sample;
  sample.target = "7";
  EXPECT_EQ(grade(task, sample, "So \\boxed{7}. To check this, we", true).kind,
            VerdictKind::kCorrect);
  EXPECT_EQ(grade(task, sample, "So 3 + 4 = 7", true).kind, VerdictKind::kTruncated)
      << "a guess at the last number of an unfinished text is no answer";
  EXPECT_EQ(grade(task, sample, "So \\boxed{\\frac{7}{", true).kind, VerdictKind::kTruncated);
}

}  // namespace
}  // namespace moebench
