#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "harness/cli/commands.h"
#include "harness/cli/console.h"
#include "harness/cli/run_reports.h"
#include "reports/record/record_files.h"
#include "reports/render/render.h"

namespace moebench {

namespace {

struct ReportArguments {
  std::string directory, format;
  std::optional<double> usd_per_hour;
  std::vector<std::string> goodput;
  bool without_samples = false;
};

ExitCode report(const ReportArguments& arguments) {
  RunReportOptions options;
  options.usd_per_hour = arguments.usd_per_hour;
  options.goodput = parse_service_level(arguments.goodput);
  options.samples = !arguments.without_samples;
  if (arguments.format.empty()) {
    write_run_reports(arguments.directory, options);
    return ExitCode::kHolds;
  }
  const Document document = build_run_report(load_run(arguments.directory), options);
  if (arguments.format == "md") write_stdout(render_markdown(document));
  if (arguments.format == "html") write_stdout(render_html(document));
  if (arguments.format == "csv") write_stdout(render_csv(document));
  if (arguments.format == "json") write_stdout(render_json(document));
  return ExitCode::kHolds;
}

}  // namespace

void add_report_command(CLI::App& app, Action& chosen) {
  const auto arguments = std::make_shared<ReportArguments>();
  CLI::App* sub = app.add_subcommand("report", "Render a run again, from its record alone");
  sub->footer(R"(Examples:
  moebench report runs/2026-01-31T12-00-00-canary
  moebench report runs/2026-01-31T12-00-00-canary --format csv > figures.csv
  moebench report runs/2026-01-31T12-00-00-canary --goodput ttft:2000 tpot:80

Without --format: a summary on stdout, and report.md and report.html in the run's folder.)");
  sub->add_option("run", arguments->directory, "The run's folder")->required()->option_text("DIR");
  sub->add_option("--format", arguments->format,
                  "md, html, csv or json: the whole report to stdout, nothing is written")
      ->check(CLI::IsMember({"md", "html", "csv", "json"}))
      ->option_text("FORMAT");
  sub->add_option("--usd-per-hour", arguments->usd_per_hour,
                  "Price of the machine, instead of the recorded one")
      ->check(CLI::NonNegativeNumber)
      ->option_text("USD");
  sub->add_option("--goodput", arguments->goodput,
                  "Limits in ms that a good request meets: ttft:2000 tpot:80 (ttfo, e2el too)")
      ->option_text("LIMIT...");
  sub->add_flag("--no-samples", arguments->without_samples, "Leave the page of answers out");
  sub->callback([arguments, &chosen] { chosen = [arguments] { return report(*arguments); }; });
}

}  // namespace moebench
