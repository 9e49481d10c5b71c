#include "reports/compare/power_report.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "reports/compare/sections.h"
#include "reports/metrics/accuracy.h"
#include "reports/render/cells.h"
#include "reports/run_report/run_report.h"

namespace moebench {
namespace {

std::map<std::string, double> scores(const LoadedRun& run) {
  std::map<std::string, double> result;
  for (const QuestionAttempts& question : group_by_question(run.samples)) {
    double correct = 0;
    for (const SampleRecord* sample : question.attempts) correct += sample->correct();
    result[question.task + "\n" + question.question_id] =
        correct / static_cast<double>(question.attempts.size());
  }
  return result;
}

}  // namespace

std::optional<double> measured_agreement(const LoadedRun& first, const LoadedRun& second) {
  const auto a = scores(first), b = scores(second);
  double n = 0, sum_a = 0, sum_b = 0, aa = 0, bb = 0, ab = 0;
  for (const auto& [question, x] : a) {
    const auto it = b.find(question);
    if (it == b.end()) continue;
    const double y = it->second;
    ++n;
    sum_a += x;
    sum_b += y;
    aa += x * x;
    bb += y * y;
    ab += x * y;
  }
  if (n < 10) return std::nullopt;
  const double var_a = aa / n - sum_a * sum_a / n / n, var_b = bb / n - sum_b * sum_b / n / n;
  if (var_a < 1e-9 || var_b < 1e-9) return std::nullopt;
  return (ab / n - sum_a * sum_b / n / n) / std::sqrt(var_a * var_b);
}

std::optional<double> measured_between_share(const LoadedRun& run) {
  double between = 0, within = 0, questions = 0, attempts = 0;
  const double mean = overall_accuracy(run).value;
  for (const QuestionAttempts& question : group_by_question(run.samples)) {
    const double k = static_cast<double>(question.attempts.size());
    if (k < 2) continue;
    double correct = 0;
    for (const SampleRecord* sample : question.attempts) correct += sample->correct();
    const double p = correct / k;
    between += k * (p - mean) * (p - mean);
    within += k * p * (1 - p);
    ++questions;
    attempts += k;
  }
  if (questions < 10 || attempts <= questions) return std::nullopt;
  const double k = attempts / questions;
  const double mean_within = within / (attempts - questions);
  const double variance_between = std::max(0.0, (between / (questions - 1) - mean_within) / k);
  if (variance_between + mean_within <= 0) return std::nullopt;
  return variance_between / (variance_between + mean_within);
}

Document build_power_report(PowerPlan plan, double margin, std::span<const LoadedRun> runs) {
  Document document;
  document.title = "How many questions?";
  if (!runs.empty() && !runs[0].samples.empty()) {
    plan.accuracy = overall_accuracy(runs[0]).value;
    if (const auto share = measured_between_share(runs[0])) plan.between_share = *share;
  }
  std::string agreement = "assumed";
  if (runs.size() > 1)
    if (const auto measured = measured_agreement(runs[0], runs[1])) {
      plan.agreement = std::clamp(*measured, 0.0, 0.99);
      agreement = "measured between " + run_label(runs[0].run) + " and " + run_label(runs[1].run);
    }
  document.subtitle =
      "Paired comparison at a baseline accuracy of " + format_percent(plan.accuracy) +
      " %, correlation of the two systems' results " + format_number(plan.agreement, 2) + " (" +
      agreement + "), " + format_count(plan.attempts) + " attempt" +
      (plan.attempts == 1 ? "" : "s") + " a question, level " + format_number(plan.alpha) +
      ", power " + format_percent(plan.power, 0) + " %";
  Table differences;
  differences.id = "power";
  differences.caption = "Questions that a difference needs";
  differences.provenance = Provenance::kProjected;
  differences.columns = {number_column("difference_points", "difference", "points"),
                         number_column("questions", "questions"),
                         number_column("attempts", "attempts at them, each run")};
  std::vector<double> wanted = {0.01, 0.02, 0.03, 0.05, 0.1, plan.difference};
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end(),
                           [](double a, double b) { return std::fabs(a - b) < 1e-9; }),
               wanted.end());
  for (const double difference : wanted) {
    if (difference > std::max(plan.accuracy, 1 - plan.accuracy)) continue;
    PowerPlan one = plan;
    one.difference = difference;
    const std::int64_t questions = required_questions(one);
    differences.rows.push_back(
        {percent_cell(difference), count_cell(questions), count_cell(questions * plan.attempts)});
  }
  differences.note =
      "Planned from the normal approximation; the more alike the two systems end, the fewer "
      "questions it takes.";
  Table tasks;
  tasks.id = "detectable";
  tasks.caption = "What the tasks can find";
  tasks.provenance = Provenance::kProjected;
  tasks.columns = {text_column("task", "task"), number_column("questions", "questions"),
                   number_column("difference_points", "smallest difference", "points")};
  for (const auto& [task, questions] :
       {std::pair("gsm8k-mini", 200), std::pair("math-mini", 200), std::pair("math500", 500),
        std::pair("gsm8k", 1319), std::pair("math", 5000)})
    tasks.rows.push_back({text_cell(task), count_cell(questions),
                          percent_cell(detectable_difference(plan, questions))});
  document.sections.push_back({"power", "Power", {std::move(differences), std::move(tasks)}});
  document.sections[0].blocks.push_back(Paragraph{
      "To show two equal systems equivalent within " + format_percent(margin) + " points takes " +
          format_count(required_questions_for_equivalence(plan, margin)) + " questions.",
      Tone::kNeutral});
  return document;
}

}  // namespace moebench
