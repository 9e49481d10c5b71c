#include <algorithm>

#include "reports/compare/sections.h"
#include "reports/metrics/accuracy.h"
#include "reports/render/cells.h"

namespace moebench {
namespace {

Tone tone_of(ComparisonVerdict verdict) {
  switch (verdict) {
    case ComparisonVerdict::kBetter:
    case ComparisonVerdict::kEquivalent:
      return Tone::kGood;
    case ComparisonVerdict::kWorse:
      return Tone::kBad;
    case ComparisonVerdict::kInconclusive:
      break;
  }
  return Tone::kUncertain;
}

Cell p_cell(double p) {
  Cell cell = text_cell(p < 0.001 ? "< 0.001" : format_fixed(p, 3));
  cell.value = p;
  return cell;
}

Interval percent(const Interval& interval) { return {interval.low * 100, interval.high * 100}; }

}  // namespace

Section verdict_section(const ComparedRuns& compared,
                        const std::vector<TaskComparison>& comparisons) {
  Section section{"verdicts", "Accuracy against " + compared.labels[compared.options.baseline], {}};
  Figure figure;
  figure.id = "differences-plot";
  figure.caption = "Difference from " + compared.labels[compared.options.baseline] + ", 95 %";
  IntervalPlot plot;
  plot.axis.title = "difference";
  plot.axis.unit = "points";
  plot.reference = 0;
  Table& table = figure.table;
  table.id = "verdicts-table";
  table.caption = "Verdicts";
  table.columns = {text_column("task", "task"),
                   text_column("run", "run"),
                   number_column("questions", "questions"),
                   number_column("baseline_percent", "baseline", "%"),
                   number_column("accuracy_percent", "run", "%"),
                   number_column("difference_points", "difference", "points"),
                   secondary(number_column("p", "p")),
                   secondary(number_column("adjusted_p", "p, Holm")),
                   secondary(number_column("equivalence_p", "p, equivalence")),
                   text_column("verdict", "verdict"),
                   secondary(text_column("test", "test"))};
  for (const TaskComparison& c : comparisons) {
    Cell difference = number_cell(c.difference.value * 100);
    difference.interval = percent(c.difference.interval);
    difference.text = (c.difference.value > 0 ? "+" : "") +
                      format_fixed(c.difference.value * 100, 1) + " [" +
                      format_fixed(difference.interval->low, 1) + ", " +
                      format_fixed(difference.interval->high, 1) + "]";
    table.rows.push_back({text_cell(c.task), text_cell(compared.labels[c.candidate]),
                          count_cell(c.questions), percent_cell(c.baseline_accuracy.value),
                          percent_cell(c.candidate_accuracy.value), std::move(difference),
                          p_cell(c.p), p_cell(c.adjusted_p), p_cell(c.adjusted_equivalence_p),
                          text_cell(to_string(c.verdict), tone_of(c.verdict)), text_cell(c.test)});
    plot.rows.push_back({.label = compared.labels[c.candidate],
                         .group = c.task,
                         .value = c.difference.value * 100,
                         .interval = percent(c.difference.interval),
                         .tone = tone_of(c.verdict)});
  }
  // Grouped by task, whatever the order of the comparisons.
  std::stable_sort(plot.rows.begin(), plot.rows.end(),
                   [](const auto& a, const auto& b) { return a.group < b.group; });
  table.note =
      "Paired on the questions that both answered. Equivalent: two one-sided tests put the "
      "difference within " +
      format_fixed(compared.options.margin * 100, 1) +
      " points. Better, worse: the difference is real and not shown to lie within them. "
      "Inconclusive: neither. All at " +
      format_number(compared.options.alpha, 1) + " after Holm's correction over " +
      std::to_string(comparisons.size()) + " comparison" + (comparisons.size() == 1 ? "" : "s") +
      ". Intervals of single attempts: Bonett and Price; of several: t over questions.";
  figure.plot = std::move(plot);
  section.blocks.push_back(std::move(figure));

  Table discordant;
  discordant.id = "disagreements-table";
  discordant.caption = "Where the two disagree, in questions";
  discordant.columns = {text_column("task", "task"),
                        text_column("run", "run"),
                        number_column("both", "both correct"),
                        number_column("only_baseline", "only the baseline"),
                        number_column("only_run", "only the run"),
                        number_column("neither", "neither")};
  for (const TaskComparison& c : comparisons)
    if (c.discordant)
      discordant.rows.push_back({text_cell(c.task), text_cell(compared.labels[c.candidate]),
                                 count_cell(c.discordant->both), count_cell(c.discordant->only_a),
                                 count_cell(c.discordant->only_b),
                                 count_cell(c.discordant->neither)});
  if (!discordant.rows.empty()) section.blocks.push_back(std::move(discordant));
  for (const TaskComparison& c : comparisons) {
    if (c.unmatched > 0)
      section.blocks.push_back(
          Paragraph{c.task + ": " + format_count(c.unmatched) + " questions are in only one of " +
                        compared.labels[compared.options.baseline] + " and " +
                        compared.labels[c.candidate] + " and are left out of the comparison.",
                    Tone::kUncertain});
    if (!c.paired)
      section.blocks.push_back(Paragraph{c.task + ": the two runs have no question in common, so "
                                                  "they are compared as independent samples.",
                                         Tone::kUncertain});
  }
  return section;
}

ProportionEstimate overall_accuracy(const LoadedRun& run) {
  std::vector<QuestionCount> counts;
  for (const QuestionAttempts& question : group_by_question(run.samples)) {
    QuestionCount& count = counts.emplace_back();
    for (const SampleRecord* sample : question.attempts) {
      ++count.attempts;
      count.correct += sample->correct();
    }
  }
  return estimate_proportion(counts);
}

Section breakdown_section(const ComparedRuns& compared) {
  Section section{"breakdown", "Accuracy by task, level and subject", {}};
  const auto add = [&](const char* id, const char* caption, auto groups_of, auto name_of) {
    Figure figure;
    figure.id = std::string(id) + "-plot";
    figure.caption = caption;
    IntervalPlot plot;
    plot.axis = {.title = "accuracy", .unit = "%", .logarithmic = false, .min = 0, .max = 100};
    figure.table.id = id;
    figure.table.caption = caption;
    figure.table.columns = {text_column("group", "group"),
                            text_column("run", "run"),
                            number_column("attempts", "attempts"),
                            number_column("accuracy_percent", "accuracy", "%"),
                            number_column("correct", "correct"),
                            number_column("wrong", "wrong"),
                            number_column("unparsed", "unparsed"),
                            number_column("truncated", "truncated"),
                            number_column("failed", "failed"),
                            number_column("mean_output_tokens", "output", "tokens")};
    std::vector<std::vector<AccuracyGroup>> groups;
    std::vector<std::string> names;
    for (const LoadedRun& run : compared.runs) {
      groups.push_back(groups_of(run));
      for (const AccuracyGroup& group : groups.back())
        if (std::find(names.begin(), names.end(), name_of(group)) == names.end())
          names.push_back(name_of(group));
    }
    for (const std::string& name : names)
      for (std::size_t r = 0; r < groups.size(); ++r)
        for (const AccuracyGroup& group : groups[r]) {
          if (name_of(group) != name) continue;
          const VerdictCounts& counts = group.counts;
          plot.rows.push_back({.label = compared.labels[r],
                               .group = name,
                               .value = group.accuracy.value * 100,
                               .interval = percent(group.accuracy.interval),
                               .tone = Tone::kNeutral});
          figure.table.rows.push_back(
              {text_cell(name), text_cell(compared.labels[r]), count_cell(counts.total()),
               percent_cell(group.accuracy.value, group.accuracy.interval),
               count_cell(counts.correct), count_cell(counts.wrong), count_cell(counts.unparsed),
               count_cell(counts.truncated), count_cell(counts.failed),
               number_cell(group.mean_output_tokens)});
        }
    figure.plot = std::move(plot);
    if (!figure.table.rows.empty()) section.blocks.push_back(std::move(figure));
  };
  add(
      "by-task", "Accuracy by task", [](const LoadedRun& r) { return accuracy_by_task(r.samples); },
      [](const AccuracyGroup& g) { return g.task; });
  add(
      "by-level", "Accuracy by level",
      [](const LoadedRun& r) { return accuracy_by_level(r.samples); },
      [](const AccuracyGroup& g) { return g.task + ", level " + g.level; });
  add(
      "by-subject", "Accuracy by subject",
      [](const LoadedRun& r) { return accuracy_by_subject(r.samples); },
      [](const AccuracyGroup& g) { return g.task + ", " + g.subject; });
  return section;
}

}  // namespace moebench
