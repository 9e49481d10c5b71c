#include "reports/metrics/accuracy.h"
#include "reports/metrics/run_cost.h"
#include "reports/render/cells.h"
#include "reports/run_report/load_report.h"
#include "reports/run_report/sections.h"

namespace moebench {

Section cost_section(const LoadedRun& run, const RunReportOptions& options) {
  Section section{"cost", "Cost", {}};
  const auto cost = run_cost(run, options.usd_per_hour);
  if (!cost) {
    section.blocks.push_back(Paragraph{
        run.run.price || options.usd_per_hour
            ? "No cost: nothing was generated, so there is no time to charge."
            : "No cost: the price of this machine is not known. Give it with --usd-per-hour.",
        Tone::kUncertain});
    return section;
  }
  std::string basis =
      "At " + format_number(cost->usd_per_hour, 4) + " USD an hour (" + cost->price_source;
  if (!cost->price_as_of.empty()) basis += ", as of " + cost->price_as_of;
  section.blocks.push_back(Paragraph{basis + "), the run's wall time costs " +
                                         usd_text(cost->total_usd) + ". Allocation: " + cost->rule +
                                         ". A token found in the prefix cache takes no pass and is "
                                         "charged nothing. Input and output add up to the bill.",
                                     Tone::kNeutral});
  Table tokens;
  tokens.id = "token-cost";
  tokens.caption = "USD per million tokens";
  tokens.columns = {text_column("token", "token"),
                    number_column("usd_per_million", "price", "USD/M")};
  tokens.rows = {
      {text_cell("input, computed"), number_cell(cost->price.input_usd_per_million)},
      {text_cell("input, cached"), number_cell(cost->price.cached_input_usd_per_million)},
      {text_cell("output, thinking included"), number_cell(cost->price.output_usd_per_million)},
      {text_cell("all together"), number_cell(cost->blended_usd_per_million)}};
  section.blocks.push_back(std::move(tokens));

  Table answers;
  answers.id = "answer-cost";
  answers.caption = "USD per question and per correct answer";
  answers.columns = {text_column("task", "task"),
                     number_column("attempts", "attempts"),
                     number_column("correct", "correct"),
                     number_column("usd", "total", "USD"),
                     number_column("usd_per_question", "per question", "USD"),
                     number_column("usd_per_correct", "per correct answer", "USD")};
  for (const AccuracyGroup& group : accuracy_by_task(run.samples)) {
    const AnswerCost answer = answer_cost(run.samples, group.task, cost->price);
    answers.rows.push_back(
        {text_cell(answer.task), count_cell(answer.attempts), count_cell(answer.correct),
         number_cell(answer.usd), number_cell(answer.usd_per_question),
         answer.usd_per_correct
             ? interval_cell(*answer.usd_per_correct, answer.usd_per_correct_interval)
             : text_cell("none correct", Tone::kUncertain)});
  }
  if (run.run.load) {
    // Nothing was graded, so there is no correct answer to divide by.
    const AnswerCost requests = answer_cost(run.samples, "", cost->price);
    answers.caption = "USD per request";
    answers.columns.pop_back();
    answers.columns.erase(answers.columns.begin() + 2);
    answers.rows.push_back({text_cell(load_words(*run.run.load)), count_cell(requests.attempts),
                            number_cell(requests.usd), number_cell(requests.usd_per_question)});
    section.blocks.push_back(std::move(answers));
    return section;
  }
  answers.note =
      "Each attempt is charged its tokens at the prices above. Intervals: 95 %, bootstrap over "
      "questions (percentile, " +
      std::to_string(kBootstrapResamples) + " resamples, seed " + std::to_string(kBootstrapSeed) +
      ").";
  section.blocks.push_back(std::move(answers));
  return section;
}

}  // namespace moebench
