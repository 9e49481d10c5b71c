#include <map>

#include "reports/metrics/accuracy.h"
#include "reports/render/cells.h"
#include "reports/run_report/sections.h"
#include "reports/statistics/attempts.h"

namespace moebench {
namespace {

constexpr const char* kDenominator =
    "Accuracy is correct attempts over all attempts: unparsed (no answer found), truncated (cut at "
    "the token limit) and failed (not served) count as not correct, and are listed apart from "
    "wrong. Intervals: 95 %, Wilson";

std::vector<Cell> accuracy_row(const AccuracyGroup& group, std::vector<Cell> name) {
  std::vector<Cell> row = std::move(name);
  row.push_back(count_cell(group.questions));
  row.push_back(percent_cell(group.accuracy.value, group.accuracy.interval));
  row.push_back(count_cell(group.counts.correct));
  row.push_back(count_cell(group.counts.wrong));
  row.push_back(count_cell(group.counts.unparsed));
  row.push_back(count_cell(group.counts.truncated));
  row.push_back(count_cell(group.counts.failed));
  row.push_back(number_cell(group.mean_output_tokens));
  return row;
}

std::vector<Column> accuracy_columns(std::vector<Column> name) {
  std::vector<Column> columns = std::move(name);
  columns.push_back(number_column("questions", "questions"));
  columns.push_back(number_column("accuracy_percent", "accuracy", "%"));
  columns.push_back(number_column("correct", "correct"));
  columns.push_back(number_column("wrong", "wrong"));
  columns.push_back(number_column("unparsed", "unparsed"));
  columns.push_back(number_column("truncated", "truncated"));
  columns.push_back(number_column("failed", "failed"));
  columns.push_back(number_column("mean_output_tokens", "output", "tokens"));
  return columns;
}

IntervalPlot::Row plot_row(const AccuracyGroup& group, std::string label, std::string above) {
  IntervalPlot::Row row;
  row.label = std::move(label);
  row.group = std::move(above);
  row.value = group.accuracy.value * 100;
  row.interval = {group.accuracy.interval.low * 100, group.accuracy.interval.high * 100};
  return row;
}

Figure grouped_figure(const std::vector<AccuracyGroup>& groups, std::string AccuracyGroup::*field,
                      const std::string& id, const std::string& name) {
  Figure figure;
  figure.id = id + "-plot";
  figure.caption = "Accuracy by " + name;
  IntervalPlot plot;
  plot.axis = {.title = "accuracy", .unit = "%", .logarithmic = false, .min = 0, .max = 100};
  figure.table.id = id;
  figure.table.caption = "By " + name;
  figure.table.columns = accuracy_columns({text_column("task", "task"), text_column(name, name)});
  for (const AccuracyGroup& group : groups) {
    const std::string& value = group.*field;
    plot.rows.push_back(plot_row(group, name == "level" ? "level " + value : value, group.task));
    figure.table.rows.push_back(accuracy_row(group, {text_cell(group.task), text_cell(value)}));
  }
  figure.plot = std::move(plot);
  return figure;
}

// pass@k and maj@k, averaged over the questions that have k attempts; empty for single attempts.
Table attempts_table(const LoadedRun& run) {
  Table table;
  table.id = "attempts";
  table.caption = "Several attempts a question";
  table.columns = {text_column("task", "task"), number_column("k", "k"),
                   number_column("questions", "questions"),
                   number_column("pass_at_k_percent", "pass@k", "%"),
                   number_column("maj_at_k_percent", "maj@k", "%")};
  struct Sums {
    double pass = 0, majority = 0, questions = 0;
  };
  std::map<std::pair<std::string, std::int64_t>, Sums> sums;
  for (const QuestionAttempts& question : group_by_question(run.samples)) {
    const auto n = static_cast<std::int64_t>(question.attempts.size());
    std::vector<VotedAnswer> answers;
    std::map<std::string, int> clusters;
    std::int64_t correct = 0;
    for (const SampleRecord* sample : question.attempts) {
      correct += sample->correct();
      const std::string& cluster = sample->answer_cluster;
      const int number =
          cluster.empty()
              ? -1
              : clusters.emplace(cluster, static_cast<int>(clusters.size())).first->second;
      answers.push_back({number, sample->correct()});
    }
    for (std::int64_t k = 1; n > 1 && k <= n; k *= 2) {
      Sums& sum = sums[{question.task, k}];
      sum.pass += pass_at_k(n, correct, k);
      sum.majority += majority_at_k(answers, k);
      ++sum.questions;
    }
  }
  for (const auto& [key, sum] : sums)
    table.rows.push_back({text_cell(key.first), count_cell(key.second),
                          count_cell(static_cast<std::int64_t>(sum.questions)),
                          percent_cell(sum.pass / sum.questions),
                          percent_cell(sum.majority / sum.questions)});
  table.note =
      "pass@k: chance that at least one of k attempts is right (unbiased, Chen et al. 2021). "
      "maj@k: "
      "chance that the answer that most of k attempts give is right, ties broken evenly.";
  return table;
}

}  // namespace

Section accuracy_section(const LoadedRun& run) {
  Section section{"accuracy", "Accuracy", {}};
  const auto tasks = accuracy_by_task(run.samples);
  if (tasks.empty()) {
    section.blocks.push_back(Paragraph{"This run holds no samples.", Tone::kUncertain});
    return section;
  }
  Figure figure;
  figure.id = "accuracy-by-task-plot";
  figure.caption = "How the attempts ended";
  StackedBars bars;
  bars.parts = {"correct", "wrong", "unparsed", "truncated", "failed"};
  Table& table = figure.table;
  table.id = "accuracy-by-task";
  table.caption = "By task";
  table.columns = accuracy_columns({text_column("task", "task")});
  table.note = kDenominator;
  bool clustered = false;
  for (const AccuracyGroup& group : tasks) {
    clustered = clustered || group.accuracy.clustered;
    table.rows.push_back(accuracy_row(group, {text_cell(group.task)}));
    bars.rows.push_back(
        {group.task,
         {static_cast<double>(group.counts.correct), static_cast<double>(group.counts.wrong),
          static_cast<double>(group.counts.unparsed), static_cast<double>(group.counts.truncated),
          static_cast<double>(group.counts.failed)}});
  }
  table.note += clustered ? ", at the effective number of attempts that the questions' clustered "
                            "standard error gives (questions are sampled several times)."
                          : ".";
  figure.plot = std::move(bars);
  section.blocks.push_back(std::move(figure));
  if (Table attempts = attempts_table(run); !attempts.rows.empty())
    section.blocks.push_back(std::move(attempts));
  if (const auto levels = accuracy_by_level(run.samples); !levels.empty())
    section.blocks.push_back(
        grouped_figure(levels, &AccuracyGroup::level, "accuracy-by-level", "level"));
  if (const auto subjects = accuracy_by_subject(run.samples); !subjects.empty())
    section.blocks.push_back(
        grouped_figure(subjects, &AccuracyGroup::subject, "accuracy-by-subject", "subject"));
  return section;
}

}  // namespace moebench
