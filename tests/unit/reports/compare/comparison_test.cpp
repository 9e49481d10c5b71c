#include "reports/compare/comparison.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "../made_run.h"
#include "engine/base/error.h"
#include "reports/render/render.h"

namespace moebench {
namespace {

std::string message_of(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

TEST(Compare, FindsARealDifferenceAndItsDirection) {
  const std::vector<LoadedRun> runs = {
      make_run({.label = "good", .seed = 1, .questions = 300, .ability = 0.8}),
      make_run({.label = "bad", .seed = 2, .questions = 300, .ability = 0.4})};
  for (const TaskComparison& c : compare_accuracy(runs, {})) {
    EXPECT_TRUE(c.paired);
    EXPECT_EQ(c.questions, 300);
    EXPECT_EQ(c.verdict, ComparisonVerdict::kWorse) << c.task;
    EXPECT_TRUE(c.difference.interval.contains(-0.4)) << c.difference.value;
    EXPECT_EQ(c.test, "exact McNemar");
  }
  EXPECT_EQ(compare_accuracy(runs, {.baseline = 1})[0].verdict, ComparisonVerdict::kBetter);
}

TEST(Compare, TheSameAnswersAreEquivalentOnlyWithEnoughQuestions) {
  const std::vector<LoadedRun> many = {make_run({.questions = 400}), make_run({.questions = 400})};
  EXPECT_EQ(compare_accuracy(many, {})[0].verdict, ComparisonVerdict::kEquivalent);
  const std::vector<LoadedRun> few = {make_run({.questions = 20}), make_run({.questions = 20})};
  EXPECT_EQ(compare_accuracy(few, {})[0].verdict, ComparisonVerdict::kInconclusive);
}

TEST(Compare, SeveralAttemptsAQuestionAreComparedByPermutation) {
  const std::vector<LoadedRun> runs = {
      make_run({.seed = 1, .questions = 100, .attempts = 4, .ability = 0.5}),
      make_run({.seed = 2, .questions = 100, .attempts = 4, .ability = 0.8})};
  const auto comparisons = compare_accuracy(runs, {});
  EXPECT_EQ(comparisons[0].test, "paired permutation");
  EXPECT_EQ(comparisons[0].verdict, ComparisonVerdict::kBetter);
  EXPECT_FALSE(comparisons[0].discordant);
}

TEST(Compare, WithoutACommonQuestionItIsUnpaired) {
  std::vector<LoadedRun> runs = {make_run({}), make_run({.ability = 0.9})};
  for (SampleRecord& sample : runs[1].samples) sample.question_id += "-other";
  const auto comparisons = compare_accuracy(runs, {});
  EXPECT_FALSE(comparisons[0].paired);
  EXPECT_EQ(comparisons[0].test, "unpaired normal");
  EXPECT_EQ(comparisons[0].verdict, ComparisonVerdict::kBetter);
}

TEST(Compare, RefusesWhatDiffersInAWayThatMatters) {
  const auto refuses = [](auto change, const char* word) {
    std::vector<LoadedRun> runs = {make_run({.label = "a"}), make_run({.label = "b"})};
    change(runs[1].run.tasks[0]);
    const std::string message = message_of([&] { compare_accuracy(runs, {}); });
    EXPECT_NE(message.find(word), std::string::npos) << message;
    EXPECT_NO_THROW(compare_accuracy(runs, {.allow_mismatch = true}));
    EXPECT_NE(render_console(build_comparison(runs, {.allow_mismatch = true}))
                  .find("because that was asked for"),
              std::string::npos)
        << "a forced comparison must say what it is";
  };
  refuses([](TaskRecord& t) { t.task_sha256 = "x"; }, "task file");
  refuses([](TaskRecord& t) { t.prompt_sha256 = "x"; }, "prompt");
  refuses([](TaskRecord& t) { t.sampling.temperature = 0.6; }, "temperature");
  refuses([](TaskRecord& t) { t.sampling.max_output_tokens = 64; }, "output tokens");
  std::vector<LoadedRun> runs = {make_run({}), make_run({})};
  runs[1].run.tasks[0].sampling.seed = 99;
  EXPECT_NO_THROW(compare_accuracy(runs, {})) << "another seed is the same protocol";
}

TEST(Compare, RunsOfDifferentTasksHaveNothingToCompare) {
  std::vector<LoadedRun> runs = {make_run({.label = "a"}), make_run({.label = "b"})};
  for (SampleRecord& sample : runs[1].samples) sample.task += "-other";
  for (TaskRecord& task : runs[1].run.tasks) task.name += "-other";
  EXPECT_NE(message_of([&] { compare_accuracy(runs, {}); }).find("no task in common"),
            std::string::npos);
  runs[1] = make_run({.label = "b"});
  runs[1].samples.clear();
  EXPECT_NE(message_of([&] { compare_accuracy(runs, {}); }).find("holds no samples"),
            std::string::npos);
  EXPECT_THROW(compare_accuracy(std::span(runs).first(1), {}), Error);
}

TEST(Compare, QuestionsOfOnlyOneRunAreLeftOutAndSaid) {
  std::vector<LoadedRun> runs = {make_run({}), make_run({})};
  runs[1].samples.resize(150);
  const auto comparisons = compare_accuracy(runs, {});
  ASSERT_EQ(comparisons.size(), 1u) << "the second task has no sample in the shorter run";
  EXPECT_EQ(comparisons[0].questions, 150);
  EXPECT_EQ(comparisons[0].unmatched, 50);
}

TEST(Compare, TheReportHoldsEverySectionInEveryRendering) {
  const std::vector<LoadedRun> runs = {make_run({.label = "f32"}),
                                       make_run({.label = "q8_0", .seed = 5, .ms_per_token = 4}),
                                       make_run({.label = "q4_0", .seed = 6, .ability = 0.45})};
  const Document document = build_comparison(runs);
  const std::string text = render_console(document, {.color = false, .width = 160});
  for (const char* word : {"verdict", "only the baseline", "times the baseline", "on the front",
                           "interactivity", "cost", "busiest expert", "weights"})
    EXPECT_NE(text.find(word), std::string::npos) << word << " is not in\n" << text;
  EXPECT_NE(render_html(document).find("disagree"), std::string::npos);
  EXPECT_NE(render_csv(document).find("verdicts-table"), std::string::npos);
}

TEST(Compare, EqualLabelsAreToldApart) {
  const std::vector<LoadedRun> runs = {make_run({.label = "x"}), make_run({.label = "x"})};
  EXPECT_EQ(distinct_labels(runs)[1], "x #2");
}

TEST(Compare, AccuracyAgainstTheThinkingBudgetWhenToldThatItDiffersOnPurpose) {
  std::vector<LoadedRun> runs;
  const std::vector<std::pair<std::int64_t, double>> budgets = {{0, 0.8}, {16, 0.3}, {64, 0.7}};
  for (const auto& [budget, ability] : budgets) {
    runs.push_back(make_run({.label = "model", .seed = 4, .ability = ability}));
    for (TaskRecord& task : runs.back().run.tasks) {
      task.sampling.max_thinking_tokens = budget;
      task.sampling.max_output_tokens = 512;
    }
  }
  EXPECT_THROW(build_comparison(runs, {}), Error) << "another budget is another protocol";
  CompareOptions options;
  options.thinking_budgets = true;
  const Document document = build_comparison(runs, options);
  const auto section = std::find_if(document.sections.begin(), document.sections.end(),
                                    [](const Section& s) { return s.id == "thinking-budget"; });
  ASSERT_NE(section, document.sections.end());
  const auto& figure = std::get<Figure>(section->blocks.at(0));
  ASSERT_EQ(figure.table.rows.size(), 6u) << "two tasks, three budgets";
  // Sorted by budget within a task, the one without a limit last, at its limit of output.
  EXPECT_EQ(figure.table.rows[0][2].value, 16);
  EXPECT_EQ(figure.table.rows[1][2].value, 64);
  EXPECT_EQ(figure.table.rows[2][2].text, "no limit");
  const auto& plot = std::get<ScatterPlot>(figure.plot);
  EXPECT_EQ(plot.points[2].x, 512);
  EXPECT_LT(plot.points[0].y, plot.points[1].y);
  EXPECT_LT(plot.points[1].y, plot.points[2].y);
  EXPECT_NE(figure.table.rows[0][1].text.find("thinking 16"), std::string::npos)
      << "three runs of one model are told apart: " << figure.table.rows[0][1].text;
  options.thinking_budgets = false;
  options.allow_mismatch = true;
  EXPECT_NE(render_markdown(build_comparison(runs, options)).find("thinking tokens is"),
            std::string::npos);
}

TEST(Compare, LoadTestsAreComparedInSpeedAndCostAlone) {
  std::vector<LoadedRun> runs = {make_run({.label = "a"}), make_run({.label = "b", .seed = 2})};
  for (LoadedRun& run : runs) {
    run.run.load = LoadRecord{"concurrency", 0, 8, 0, "64 random tokens, 16 generated"};
    for (SampleRecord& sample : run.samples) sample.verdict = verdicts::kUngraded;
  }
  const std::string text = render_markdown(build_comparison(runs, {}));
  EXPECT_EQ(text.find("Accuracy against"), std::string::npos) << "nothing was graded";
  EXPECT_NE(text.find("## Speed"), std::string::npos);
  EXPECT_NE(text.find("Throughput against interactivity"), std::string::npos) << text;
  runs[1].run.load.reset();
  EXPECT_THROW(build_comparison(runs, {}), Error) << "a load test is no evaluation";
}

}  // namespace
}  // namespace moebench
