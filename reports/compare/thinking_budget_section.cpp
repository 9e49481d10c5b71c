#include <algorithm>
#include <set>
#include <tuple>

#include "reports/compare/sections.h"
#include "reports/metrics/accuracy.h"
#include "reports/render/cells.h"

namespace moebench {
namespace {

// A task of one run, and how far its thinking might go.
struct BudgetPoint {
  std::string label, model;
  AccuracyGroup group;
  std::int64_t budget_tokens = 0;  // 0: no limit of its own
  std::int64_t limit_tokens = 0;   // what no thinking can exceed
};

std::vector<BudgetPoint> budget_points(const ComparedRuns& compared) {
  std::vector<BudgetPoint> points;
  for (std::size_t r = 0; r < compared.runs.size(); ++r) {
    const LoadedRun& run = compared.runs[r];
    for (const AccuracyGroup& group : accuracy_by_task(run.samples))
      for (const TaskRecord& task : run.run.tasks)
        if (task.name == group.task) {
          const std::int64_t budget = task.sampling.max_thinking_tokens;
          const std::int64_t output = task.sampling.max_output_tokens;
          points.push_back({compared.labels[r], run.run.model.name, group, budget,
                            budget > 0 ? std::min(budget, output) : output});
        }
  }
  std::stable_sort(points.begin(), points.end(), [](const BudgetPoint& a, const BudgetPoint& b) {
    return std::tie(a.group.task, a.model, a.limit_tokens) <
           std::tie(b.group.task, b.model, b.limit_tokens);
  });
  return points;
}

}  // namespace

Section thinking_budget_section(const ComparedRuns& compared) {
  Section section{"thinking-budget", "Accuracy against the thinking budget", {}};
  const std::vector<BudgetPoint> points = budget_points(compared);
  std::set<std::int64_t> budgets;
  for (const BudgetPoint& point : points) budgets.insert(point.budget_tokens);
  if (budgets.size() < 2) return section;

  Figure figure;
  figure.id = "thinking-budget-plot";
  figure.caption = "Accuracy against the budget of thinking tokens, 95 %";
  ScatterPlot plot;
  plot.joined = true;
  plot.x = {
      .title = "thinking tokens, at most", .unit = "", .logarithmic = true, .min = {}, .max = {}};
  plot.y = {.title = "accuracy", .unit = "%", .logarithmic = false, .min = {}, .max = {}};
  Table& table = figure.table;
  table.id = "thinking-budget-table";
  table.caption = "By task and budget";
  table.columns = {text_column("task", "task"),
                   text_column("run", "run"),
                   number_column("budget_tokens", "budget", "tokens"),
                   number_column("attempts", "attempts"),
                   number_column("accuracy_percent", "accuracy", "%"),
                   number_column("mean_thinking_tokens", "thinking", "tokens"),
                   number_column("mean_output_tokens", "output", "tokens"),
                   number_column("truncated", "truncated")};
  for (const BudgetPoint& point : points) {
    const AccuracyGroup& group = point.group;
    const Interval interval{group.accuracy.interval.low * 100, group.accuracy.interval.high * 100};
    ScatterPlot::Point at;
    at.label = point.budget_tokens > 0 ? format_count(point.budget_tokens) : "no limit";
    at.series = group.task + ", " + point.model;
    at.x = static_cast<double>(point.limit_tokens);
    at.y = group.accuracy.value * 100;
    at.y_interval = interval;
    plot.points.push_back(std::move(at));
    table.rows.push_back(
        {text_cell(group.task), text_cell(point.label),
         point.budget_tokens > 0 ? count_cell(point.budget_tokens) : text_cell("no limit"),
         count_cell(group.counts.total()),
         percent_cell(group.accuracy.value, group.accuracy.interval),
         number_cell(group.mean_thinking_tokens), number_cell(group.mean_output_tokens),
         count_cell(group.counts.truncated)});
  }
  table.note =
      "A run without a budget of its own stands at its limit of output tokens, which no thinking "
      "exceeds. Mean tokens: of the attempts that gave output; output includes the thinking.";
  figure.plot = std::move(plot);
  section.blocks.push_back(std::move(figure));
  return section;
}

}  // namespace moebench
