#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "harness/cli/commands.h"
#include "harness/cli/run_reports.h"

namespace moebench {

void add_report_command(CLI::App& app, Action& chosen) {
  const auto directory = std::make_shared<std::string>();
  CLI::App* sub =
      app.add_subcommand("report", "Render a run again: summary, report.md, report.html");
  sub->footer("Example:\n  moebench report runs/2026-01-31T12-00-00-canary");
  sub->add_option("run", *directory, "The run's folder")->required()->option_text("DIR");
  sub->callback([directory, &chosen] {
    chosen = [directory] {
      write_reports(*directory);
      return ExitCode::kHolds;
    };
  });
}

}  // namespace moebench
