#include <algorithm>
#include <map>

#include "reports/compare/sections.h"
#include "reports/metrics/accuracy.h"
#include "reports/render/cells.h"

namespace moebench {

Section disagreement_section(const ComparedRuns& compared) {
  Section section{"answers", "Question by question", {}};
  SampleList list;
  list.id = "answers-list";
  list.caption = "Every question with each run's answer; those where the runs disagree come first";
  std::string order;
  for (const std::string& label : compared.labels) order += (order.empty() ? "" : ", ") + label;
  section.blocks.push_back(
      Paragraph{"The verdicts of a line, in order: " + order + ".", Tone::kNeutral});
  std::map<std::string, std::size_t> index;
  for (std::size_t r = 0; r < compared.runs.size(); ++r)
    for (const QuestionAttempts& question : group_by_question(compared.runs[r].samples)) {
      const auto [it, is_new] =
          index.emplace(question.task + "\n" + question.question_id, list.entries.size());
      if (is_new) {
        SampleEntry& entry = list.entries.emplace_back();
        entry.task = question.task;
        entry.question_id = question.question_id;
        entry.level = question.level;
        entry.subject = question.subject;
      }
      SampleEntry& entry = list.entries[it->second];
      for (const SampleRecord* sample : question.attempts) {
        if (entry.question.empty()) entry.question = sample->question;
        entry.target = sample->target;
        auto& answer = entry.answers.emplace_back();
        answer.run = compared.labels[r];
        answer.verdict = sample->verdict;
        answer.extracted = sample->extracted;
        answer.reason = sample->failure.empty() ? sample->reason : sample->failure;
        answer.thinking = sample->thinking;
        answer.output = sample->output;
        answer.attempt = sample->attempt;
        answer.output_tokens = sample->output_tokens;
        if (const auto& last = sample->timing.last_token_ms) answer.seconds = *last / 1000;
        if (compared.costs[r]) answer.usd = sample_usd(*sample, compared.costs[r]->price);
      }
    }
  const auto disagree = [](const SampleEntry& entry) {
    bool correct = false, other = false;
    for (const auto& answer : entry.answers)
      (answer.verdict == verdicts::kCorrect ? correct : other) = true;
    return correct && other;
  };
  std::stable_sort(
      list.entries.begin(), list.entries.end(),
      [&](const SampleEntry& a, const SampleEntry& b) { return disagree(a) && !disagree(b); });
  section.blocks.push_back(std::move(list));
  return section;
}

Section differences_section(const ComparedRuns& compared) {
  Section section{"method", "What was compared", {}};
  Table table;
  table.id = "runs";
  table.caption = "The runs";
  table.columns = {text_column("what", "")};
  for (const std::string& label : compared.labels)
    table.columns.push_back(text_column("run_" + std::to_string(table.columns.size()), label));
  const auto add = [&](const std::string& what, const auto& value_of) {
    std::vector<Cell> row = {text_cell(what)};
    bool any = false, differs = false;
    std::string first;
    for (std::size_t r = 0; r < compared.runs.size(); ++r) {
      const std::string value = value_of(compared.runs[r].run);
      if (r == 0) first = value;
      differs = differs || value != first;
      any = any || !value.empty();
      row.push_back(value.empty() ? unknown_cell() : text_cell(value));
    }
    if (!any) return;
    if (differs)
      for (Cell& cell : row) cell.tone = Tone::kUncertain;
    table.rows.push_back(std::move(row));
  };
  add("run", [](const RunRecord& r) { return r.run_id; });
  add("status", [](const RunRecord& r) { return std::string(to_string(r.status)); });
  add("started", [](const RunRecord& r) { return r.started_utc; });
  add("model", [](const RunRecord& r) { return r.model.name; });
  add("weights", [](const RunRecord& r) { return r.model.weight_types; });
  add("weight bytes", [](const RunRecord& r) {
    return r.model.weight_bytes > 0 ? format_bytes(static_cast<double>(r.model.weight_bytes))
                                    : std::string();
  });
  add("model sha256", [](const RunRecord& r) { return r.model.sha256.substr(0, 16); });
  add("engine", [](const RunRecord& r) { return r.engine.name + " " + r.engine.version; });
  add("device", [](const RunRecord& r) { return r.engine.device; });
  add("isa", [](const RunRecord& r) { return r.engine.isa; });
  add("threads", [](const RunRecord& r) {
    return r.engine.threads > 0 ? std::to_string(r.engine.threads) : std::string();
  });
  add("cpu", [](const RunRecord& r) { return r.environment.cpu; });
  add("build", [](const RunRecord& r) {
    return r.build.version + (r.build.commit.empty() ? "" : " " + r.build.commit.substr(0, 12));
  });
  std::map<std::string, int> keys;
  for (const LoadedRun& run : compared.runs)
    for (const auto& [key, value] : run.run.effective) ++keys[key];
  for (const auto& [key, uses] : keys)
    add(key, [&](const RunRecord& r) {
      const auto it = r.effective.find(key);
      return it == r.effective.end() ? std::string() : it->second;
    });
  table.note = "Coloured: where the runs differ.";
  section.blocks.push_back(std::move(table));
  return section;
}

Document build_comparison(std::span<const LoadedRun> runs, const CompareOptions& options) {
  const auto comparisons = compare_accuracy(runs, options);
  ComparedRuns compared{runs, distinct_labels(runs), options, {}};
  for (const LoadedRun& run : runs) compared.costs.push_back(run_cost(run, options.usd_per_hour));
  Document document;
  const std::string& baseline = compared.labels[options.baseline];
  document.title = "Comparison with " + baseline;
  for (std::size_t r = 0; r < runs.size(); ++r)
    if (r != options.baseline)
      document.subtitle += (document.subtitle.empty() ? "" : ", ") + compared.labels[r];
  for (const TaskComparison& c : comparisons) {
    const Tone tone = c.verdict == ComparisonVerdict::kWorse          ? Tone::kBad
                      : c.verdict == ComparisonVerdict::kInconclusive ? Tone::kUncertain
                                                                      : Tone::kGood;
    document.headlines.push_back(
        {c.task + ", " + compared.labels[c.candidate], to_string(c.verdict),
         (c.difference.value > 0 ? "+" : "") + format_fixed(c.difference.value * 100, 1) +
             " points [" + format_fixed(c.difference.interval.low * 100, 1) + ", " +
             format_fixed(c.difference.interval.high * 100, 1) + "]: " + c.because,
         tone});
  }
  std::vector<Block> notes;
  if (const auto mismatches = find_mismatches(runs, options.baseline, !options.thinking_budgets);
      !mismatches.empty())
    notes.push_back(
        Paragraph{"These runs differ in what their accuracies mean, and are compared "
                  "because that was asked for: " +
                      describe(mismatches, baseline) + ".",
                  Tone::kBad});
  for (std::size_t r = 0; r < runs.size(); ++r) {
    if (runs[r].run.status != RunStatus::kComplete)
      notes.push_back(Paragraph{compared.labels[r] + " is " +
                                    std::string(to_string(runs[r].run.status)) +
                                    ": its figures are of the attempts that are there.",
                                Tone::kBad});
    for (const std::string& warning : runs[r].warnings)
      notes.push_back(Paragraph{warning, Tone::kUncertain});
  }
  if (!notes.empty()) document.sections.push_back({"notes", "To keep in mind", std::move(notes)});
  const bool graded = !runs[options.baseline].run.load;
  if (graded) document.sections.push_back(verdict_section(compared, comparisons));
  document.sections.push_back(speed_comparison_section(compared));
  document.sections.push_back(cost_comparison_section(compared));
  document.sections.push_back(trade_off_section(compared));
  if (Section budgets = thinking_budget_section(compared); !budgets.blocks.empty())
    document.sections.push_back(std::move(budgets));
  if (graded) document.sections.push_back(breakdown_section(compared));
  if (Section experts = experts_comparison_section(compared); !experts.blocks.empty())
    document.sections.push_back(std::move(experts));
  if (options.samples && graded) document.sections.push_back(disagreement_section(compared));
  document.sections.push_back(differences_section(compared));
  return document;
}

}  // namespace moebench
