#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "engine/base/error.h"
#include "harness/cli/commands.h"
#include "harness/cli/console.h"
#include "harness/cli/document_output.h"
#include "reports/compare/comparison.h"
#include "reports/compare/power_report.h"

namespace moebench {
namespace {

struct CompareArguments {
  std::vector<std::string> runs;
  std::string baseline;
  double margin_points = 3, alpha = 0.05;
  bool allow_mismatch = false, thinking_budgets = false, power = false, without_samples = false;
  std::optional<double> usd_per_hour;
  double accuracy_percent = 50, difference_points = 3, agreement = 0.5, power_percent = 80;
  std::int64_t attempts = 1;
  DocumentTarget target;
};

ExitCode plan(const CompareArguments& arguments, const std::vector<LoadedRun>& runs) {
  PowerPlan plan;
  plan.accuracy = arguments.accuracy_percent / 100;
  plan.difference = arguments.difference_points / 100;
  plan.agreement = arguments.agreement;
  plan.attempts = arguments.attempts;
  plan.alpha = arguments.alpha;
  plan.power = arguments.power_percent / 100;
  const Document document = build_power_report(plan, arguments.margin_points / 100, runs);
  write_document(document, document, arguments.target);
  return ExitCode::kHolds;
}

ExitCode compare(const CompareArguments& arguments) {
  std::vector<LoadedRun> runs;
  for (const std::string& path : arguments.runs) {
    runs.push_back(load_run(path));
    for (const std::string& warning : runs.back().warnings) print_warning(warning);
  }
  if (arguments.power) return plan(arguments, runs);
  CompareOptions options;
  options.margin = arguments.margin_points / 100;
  options.alpha = arguments.alpha;
  options.allow_mismatch = arguments.allow_mismatch;
  options.thinking_budgets = arguments.thinking_budgets;
  options.usd_per_hour = arguments.usd_per_hour;
  options.samples = !arguments.without_samples;
  if (!arguments.baseline.empty()) {
    const auto it = std::find(arguments.runs.begin(), arguments.runs.end(), arguments.baseline);
    if (it == arguments.runs.end())
      throw Error(ErrorCode::kUsage, "--baseline " + arguments.baseline + " is not among the runs");
    options.baseline = static_cast<std::size_t>(it - arguments.runs.begin());
  }
  const Document whole = build_comparison(runs, options);
  Document brief = whole;
  std::erase_if(brief.sections, [](const Section& section) {
    return section.id != "notes" && section.id != "verdicts" && section.id != "speed" &&
           section.id != "cost" && section.id != "thinking-budget";
  });
  write_document(whole, brief, arguments.target);
  return ExitCode::kHolds;
}

}  // namespace

void add_compare_command(CLI::App& app, Action& chosen) {
  const auto a = std::make_shared<CompareArguments>();
  CLI::App* sub = app.add_subcommand("compare", "Compare runs: accuracy, speed and cost, paired");
  sub->footer(R"(Examples:
  moebench compare runs/bf16 runs/q8_0
  moebench compare runs/a runs/b runs/c --baseline runs/b -o comparison.html
  moebench compare runs/think-0 runs/think-16 runs/think-64 --thinking-budgets -o budgets.html
  moebench compare --power --accuracy 60 --difference 2
  moebench compare --power runs/a runs/b

Verdicts: better, worse, equivalent (shown to lie within the margin) or inconclusive, after Holm's
correction over all of them. Runs of different task files, prompts or sampling are not compared
unless --allow-mismatch says so.)");
  sub->add_option("runs", a->runs, "The runs' folders; the first is the baseline")
      ->option_text("RUN...");
  sub->add_option("--baseline", a->baseline, "The run to compare with")->option_text("RUN");
  sub->add_option("--margin", a->margin_points,
                  "Points of accuracy within which two runs count as equivalent (3)")
      ->check(CLI::Range(0.01, 50.0))
      ->option_text("POINTS");
  sub->add_option("--alpha", a->alpha, "Level of every verdict (0.05)")
      ->check(CLI::Range(0.0001, 0.4))
      ->option_text("P");
  sub->add_flag("--allow-mismatch", a->allow_mismatch,
                "Compare runs of different prompts, sampling or task files all the same");
  sub->add_flag("--thinking-budgets", a->thinking_budgets,
                "The runs differ in --reasoning-tokens or --max-tokens on purpose: show accuracy "
                "against the budget");
  sub->add_option("--usd-per-hour", a->usd_per_hour,
                  "Price of every run's machine, instead of the recorded ones")
      ->check(CLI::NonNegativeNumber)
      ->option_text("USD");
  sub->add_flag("--no-samples", a->without_samples, "Leave the answers out of the report");
  add_document_options(*sub, a->target);
  sub->add_flag("--power", a->power,
                "Plan instead: how many questions a difference needs (runs, if given, tell the "
                "accuracy and how alike they end)");
  sub->add_option("--accuracy", a->accuracy_percent, "With --power: the baseline's accuracy (50)")
      ->check(CLI::Range(0.0, 100.0))
      ->option_text("PERCENT");
  sub->add_option("--difference", a->difference_points, "With --power: points to find (3)")
      ->check(CLI::Range(0.01, 100.0))
      ->option_text("POINTS");
  sub->add_option("--agreement", a->agreement,
                  "With --power: correlation of the two runs' results on a question (0.5)")
      ->check(CLI::Range(0.0, 0.99))
      ->option_text("R");
  sub->add_option("--attempts", a->attempts, "With --power: attempts at each question (1)")
      ->check(CLI::PositiveNumber)
      ->option_text("N");
  sub->add_option("--power-percent", a->power_percent,
                  "With --power: chance of finding the difference (80)")
      ->check(CLI::Range(50.1, 99.9))
      ->option_text("PERCENT");
  sub->callback([a, &chosen] { chosen = [a] { return compare(*a); }; });
}

}  // namespace moebench
