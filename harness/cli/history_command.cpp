#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "harness/cli/commands.h"
#include "harness/cli/console.h"
#include "harness/cli/document_output.h"
#include "reports/gate/metrics.h"
#include "reports/history/store.h"
#include "reports/history/trend.h"
#include "reports/render/cells.h"

namespace moebench {
namespace {

struct HistoryArguments {
  std::string file = "history.sqlite", figure;
  std::vector<std::string> runs;
  double alpha = 0.01;
  DocumentTarget target;
};

constexpr const char* kFooter = R"(Examples:
  moebench history add --file history.sqlite runs/2026-01-31T12-00-00-canary
  moebench history list --file history.sqlite
  moebench history changes --file history.sqlite
  moebench history plot --file history.sqlite -o history.html
  moebench gate --history history.sqlite

The file is SQLite. Several writers may add at once; one that is killed leaves it as it was. Runs are
compared within a series: the same model, tasks, machine, threads and batch.)";

ExitCode add(const HistoryArguments& arguments) {
  if (arguments.runs.empty()) throw Error(ErrorCode::kUsage, "no run is given to add");
  std::vector<HistoryRun> entries;  // all are read before the first is written
  for (const std::string& path : arguments.runs) {
    const LoadedRun run = load_run(path);
    for (const std::string& warning : run.warnings) print_warning(warning);
    entries.push_back(history_run(run, path));
  }
  HistoryStore store(arguments.file, HistoryStore::Access::kWrite);
  for (std::size_t i = 0; i < entries.size(); ++i)
    print_note(arguments.runs[i] +
               (store.add(entries[i]) ? ": added" : ": is there already, nothing was changed"));
  return ExitCode::kHolds;
}

TrendOptions trend_options(const HistoryArguments& arguments) {
  TrendOptions options;
  options.metrics = default_gated_metrics();
  options.alpha = arguments.alpha;
  options.figure = arguments.figure;
  return options;
}

Document runs_document(const std::vector<HistoryRun>& runs, const std::string& file) {
  Table table;
  table.id = "runs";
  table.caption = "Runs";
  table.columns = {number_column("id", "id"),
                   text_column("started_utc", "started"),
                   text_column("commit", "commit"),
                   text_column("label", "model"),
                   number_column("accuracy_percent", "accuracy", "%"),
                   number_column("cpu_ms_per_token", "CPU", "ms/token"),
                   number_column("decode_tokens_per_second", "decode", "tok/s"),
                   text_column("run_id", "run")};
  for (const HistoryRun& run : runs) {
    const auto figure = [&](const char* name) {
      const auto value = run.figures.find(name);
      return value == run.figures.end() ? unknown_cell() : number_cell(value->second, 4);
    };
    table.rows.push_back({count_cell(run.id), text_cell(run.started_utc),
                          text_cell(run.commit.substr(0, 12) + (run.modified_tree ? "+" : "")),
                          text_cell(run.label), figure("accuracy_percent"),
                          figure("cpu_ms_per_token"), figure("decode_tokens_per_second"),
                          text_cell(run.run_id)});
  }
  table.note = "A + after the commit: the tree had changes that the commit does not hold.";
  Document document;
  document.title = "History: " + file;
  document.subtitle = format_count(static_cast<std::int64_t>(runs.size())) + " runs";
  document.sections.push_back({"runs", "Runs", {std::move(table)}});
  return document;
}

ExitCode list(const HistoryArguments& arguments) {
  const HistoryStore store(arguments.file, HistoryStore::Access::kRead);
  const Document document = runs_document(store.runs(), arguments.file);
  write_document(document, document, arguments.target);
  return ExitCode::kHolds;
}

ExitCode trends(const HistoryArguments& arguments, bool changes_alone) {
  const HistoryStore store(arguments.file, HistoryStore::Access::kRead);
  const std::vector<HistoryRun> runs = store.runs();
  const Document whole =
      build_history_report(runs, trend_options(arguments), "History: " + arguments.file);
  Document brief = whole;
  std::erase_if(brief.sections, [](const Section& section) { return section.id != "changes"; });
  write_document(changes_alone ? brief : whole, brief, arguments.target);
  return ExitCode::kHolds;
}

}  // namespace

void add_history_command(CLI::App& app, Action& chosen) {
  const auto a = std::make_shared<HistoryArguments>();
  CLI::App* sub = app.add_subcommand("history", "Keep runs over time; find what changed, and when");
  sub->footer(kFooter);
  sub->require_subcommand(1);
  const auto verb = [&](const char* name, const char* help) {
    CLI::App* command = sub->add_subcommand(name, help);
    command->add_option("-f,--file", a->file, "The history")
        ->capture_default_str()
        ->option_text("FILE");
    return command;
  };
  const auto of_trends = [&](CLI::App* command) {
    command->add_option("--figure", a->figure, "One figure alone (cpu_ms_per_token, ...)")
        ->option_text("NAME");
    command->add_option("--alpha", a->alpha, "Level of the test for a change (0.01)")
        ->check(CLI::Range(0.002, 0.4))
        ->option_text("P");
    add_document_options(*command, a->target);
  };
  CLI::App* adding = verb("add", "Put runs into the file");
  adding->add_option("runs", a->runs, "The runs' folders")->option_text("RUN...");
  adding->callback([a, &chosen] { chosen = [a] { return add(*a); }; });
  CLI::App* listing = verb("list", "Show the runs");
  add_document_options(*listing, a->target);
  listing->callback([a, &chosen] { chosen = [a] { return list(*a); }; });
  CLI::App* plotting = verb("plot", "Every figure over time, with its changes");
  of_trends(plotting);
  plotting->callback([a, &chosen] { chosen = [a] { return trends(*a, false); }; });
  CLI::App* changing = verb("changes", "Where a figure changed, and at which commit");
  of_trends(changing);
  changing->callback([a, &chosen] { chosen = [a] { return trends(*a, true); }; });
}

}  // namespace moebench
