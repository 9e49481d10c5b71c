#include "reports/compare/compatibility.h"

#include <map>
#include <set>

#include "reports/render/cells.h"
#include "reports/run_report/load_report.h"

namespace moebench {
namespace {

const TaskRecord* find_task(const RunRecord& run, const std::string& name) {
  for (const TaskRecord& task : run.tasks)
    if (task.name == name) return &task;
  return nullptr;
}

}  // namespace

std::vector<Mismatch> find_mismatches(std::span<const LoadedRun> runs, std::size_t baseline,
                                      bool with_budgets) {
  std::vector<Mismatch> mismatches;
  const auto labels = distinct_labels(runs);
  for (std::size_t r = 0; r < runs.size(); ++r) {
    if (r == baseline) continue;
    for (const TaskRecord& a : runs[baseline].run.tasks) {
      const TaskRecord* b = find_task(runs[r].run, a.name);
      if (!b) continue;
      const auto check = [&](const char* what, const std::string& x, const std::string& y) {
        if (x != y) mismatches.push_back({a.name, what, x, y, labels[r]});
      };
      const auto check_number = [&](const char* what, double x, double y) {
        check(what, format_number(x, 6), format_number(y, 6));
      };
      check("the task file (sha256)", a.task_sha256, b->task_sha256);
      check("the prompt (sha256)", a.prompt_sha256, b->prompt_sha256);
      if (!a.data_sha256.empty() && !b->data_sha256.empty())
        check("the data (sha256)", a.data_sha256, b->data_sha256);
      const SamplingRecord &s = a.sampling, &t = b->sampling;
      check_number("temperature", s.temperature, t.temperature);
      check_number("top-p", s.top_p, t.top_p);
      const auto check_count = [&](const char* what, std::int64_t x, std::int64_t y) {
        check(what, format_count(x), format_count(y));
      };
      check_count("top-k", s.top_k, t.top_k);
      if (with_budgets)
        check_count("the limit of output tokens", s.max_output_tokens, t.max_output_tokens);
      if (with_budgets)
        check_count("the limit of thinking tokens", s.max_thinking_tokens, t.max_thinking_tokens);
      check_count("attempts per question", a.attempts_per_question, b->attempts_per_question);
    }
  }
  return mismatches;
}

std::string describe(const std::vector<Mismatch>& mismatches, const std::string& baseline_label) {
  std::string text;
  for (const Mismatch& m : mismatches)
    text += (text.empty() ? "" : "; ") + m.task + ": " + m.what + " is " + m.baseline + " in " +
            baseline_label + " and " + m.candidate + " in " + m.candidate_label;
  return text;
}

std::vector<std::string> distinct_labels(std::span<const LoadedRun> runs) {
  std::map<std::string, std::set<std::int64_t>> budgets;  // by label
  std::set<std::string> prompts;                          // of load tests
  for (const LoadedRun& run : runs)
    if (run.run.load) prompts.insert(run.run.load->prompts);
  for (const LoadedRun& run : runs)
    for (const TaskRecord& task : run.run.tasks)
      budgets[run_label(run.run)].insert(task.sampling.max_thinking_tokens);
  std::map<std::string, int> uses;
  std::vector<std::string> labels;
  for (const LoadedRun& run : runs) {
    std::string label = run_label(run.run);
    if (budgets[label].size() > 1 && !run.run.tasks.empty()) {
      const std::int64_t budget = run.run.tasks.front().sampling.max_thinking_tokens;
      label += budget > 0 ? ", thinking " + std::to_string(budget) : ", thinking unlimited";
    }
    if (run.run.load)
      label +=
          ", " + (prompts.size() > 1 ? load_words(*run.run.load) : arrival_words(*run.run.load));
    if (const int use = ++uses[label]; use > 1) label += " #" + std::to_string(use);
    labels.push_back(std::move(label));
  }
  return labels;
}

}  // namespace moebench
