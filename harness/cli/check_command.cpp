#include <CLI/CLI.hpp>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <string>

#include "engine/base/error.h"
#include "harness/cli/commands.h"
#include "harness/cli/console.h"
#include "harness/run/determinism.h"

namespace moebench {

namespace {

struct CheckArguments {
  std::string directory;
  DeterminismSettings settings;
};

constexpr const char* kFooter = R"(Examples:
  moebench check determinism runs/2026-01-31T12-00-00-canary
  moebench check determinism RUN --answers 64 --batch-sizes 1,3,32

Exit code: 0 every answer came out as recorded, 1 the engine's answers depend on the batch, 4 they
don't, but another build or machine than this one recorded others.)";

// One line of the text, so that a newline in an answer doesn't break the table.
std::string quoted(const std::string& text) {
  std::string line;
  for (const char c : text) line += c == '\n' ? std::string("\\n") : std::string(1, c);
  return "'" + line + "'";
}

ExitCode check(const CheckArguments& arguments) {
  const auto announce = [](const std::string& what, bool is_warning) {
    is_warning ? print_warning(what) : print_note(what);
  };
  const DeterminismResult result =
      check_determinism(arguments.directory, arguments.settings, announce);
  for (const std::string& warning : result.warnings) print_warning(warning);

  if (result.interrupted) {
    print_note("interrupted; nothing is concluded");
    return ExitCode::kInterrupted;
  }
  std::string text;
  for (const DeterminismPass& pass : result.passes) {
    text += pass.name + ": " + std::to_string(pass.equal) + " of " +
            std::to_string(pass.equal + pass.different) + " answers as recorded\n";
  }
  constexpr std::size_t kMostShown = 10;
  for (std::size_t i = 0; i < std::min(result.differences.size(), kMostShown); ++i) {
    const DeterminismDifference& difference = result.differences[i];
    text += "  " + difference.task + " " + difference.question_id + " attempt " +
            std::to_string(difference.attempt) + ", " + difference.pass + ": from character " +
            std::to_string(difference.first_character) + " recorded " +
            quoted(difference.recorded) + ", now " + quoted(difference.repeated) + "\n";
  }
  if (result.differences.size() > kMostShown) {
    text += "  and " + std::to_string(result.differences.size() - kMostShown) + " more\n";
  }
  if (result.differences.empty()) {
    write_stdout(text + "deterministic: yes\n");
    return ExitCode::kHolds;
  }
  if (result.passes_agree && !result.warnings.empty()) {
    write_stdout(text +
                 "deterministic: the passes agree with each other, not with the record, which "
                 "another build or machine made\n");
    return ExitCode::kInconclusive;
  }
  write_stdout(text + "deterministic: no\n");
  return ExitCode::kFailed;
}

}  // namespace

void add_check_command(CLI::App& app, Action& chosen) {
  const auto arguments = std::make_shared<CheckArguments>();
  CLI::App* sub = app.add_subcommand("check", "Check a promise of the engine on a recorded run");
  sub->require_subcommand(1);
  sub->footer(kFooter);
  CLI::App* determinism = sub->add_subcommand(
      "determinism", "Ask for a run's answers again, at other batch sizes, and compare the bytes");
  determinism->add_option("RUN", arguments->directory, "The folder of a complete or partial run")
      ->option_text("DIR")
      ->required();
  determinism
      ->add_option("--answers", arguments->settings.answers,
                   "How many of its answers, evenly spread (default: 16)")
      ->option_text("N")
      ->check(CLI::Range(1, 1'000'000));
  determinism
      ->add_option(
          "--batch-sizes", arguments->settings.batch_sizes,
          "One pass each; threads, chunk size, prefix cache and order vary along (default: "
          "1,2,7,16)")
      ->option_text("N,N,...")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096));
  determinism->callback(
      [arguments, &chosen] { chosen = [arguments] { return check(*arguments); }; });
}

}  // namespace moebench
