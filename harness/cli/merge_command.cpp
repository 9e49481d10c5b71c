#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "harness/cli/commands.h"
#include "harness/cli/console.h"
#include "harness/cli/run_reports.h"
#include "harness/run/merge.h"

namespace moebench {

namespace {

struct MergeArguments {
  std::filesystem::path output;
  std::vector<std::filesystem::path> runs;
};

constexpr const char* kFooter = R"(Examples:
  for i in 1 2 3 4; do moebench run --model canary --tasks gsm8k-mini --shard $i/4 -o part$i; done
  moebench merge whole part1 part2 part3 part4

Every part must be there once and complete, with the same settings, data, model and build. The
merged run has the answers, verdicts and results_sha256 of the same run without --shard; its times
are sums, what the machines spent together. On a cluster: see ci/slurm/README.md.)";

ExitCode merge(const MergeArguments& arguments) {
  const RunOutcome outcome =
      merge_runs(arguments.output, arguments.runs, [](const std::string& what, bool is_warning) {
        is_warning ? print_warning(what) : print_note(what);
      });
  if (outcome.answered > 0) write_run_reports(outcome.directory);
  return ExitCode::kHolds;
}

}  // namespace

void add_merge_command(CLI::App& app, Action& chosen) {
  const auto arguments = std::make_shared<MergeArguments>();
  CLI::App* sub = app.add_subcommand("merge", "Put the parts of a run with --shard together");
  sub->footer(kFooter);
  sub->add_option("output", arguments->output, "A new folder for the merged run")
      ->required()
      ->option_text("OUT");
  sub->add_option("runs", arguments->runs, "The parts' folders, in any order")
      ->required()
      ->option_text("RUN...");
  sub->callback([arguments, &chosen] { chosen = [arguments] { return merge(*arguments); }; });
}

}  // namespace moebench
