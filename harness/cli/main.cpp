#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>
#include <new>

#include "engine/base/error.h"
#include "harness/cli/commands.h"
#include "harness/cli/console.h"
#include "harness/cli/help_format.h"
#include "harness/environment/build.h"

namespace {

using moebench::Action;
using moebench::ErrorCode;
using moebench::ExitCode;

constexpr const char* kFooter = R"(Examples:
  moebench run --model canary --tasks gsm8k-mini,math-mini
      Let the built-in MoE model reason through 400 problems and write a report.
  moebench run --model ./DeepSeek-V2-Lite --tasks gsm8k,math500 --data ./data --weights-type q8_0
      The same with your own checkpoint and the published problems.
  moebench run --resume runs/2026-01-31T12-00-00
      Continue a run that was interrupted; nothing finished is done again.
  moebench bench --model ./model.gguf --batch 1,8,32
      Prefill and decode tokens per second, no questions asked.

Exit codes:
  0  done (a gate passed, a claim holds)   3  run error: disk, device, network
  1  a gate failed, a claim is refuted     4  inconclusive
  2  usage, task, data or model error    130  interrupted; `run --resume` continues

'moebench COMMAND --help' tells all options of a command.)";

std::string version_text() {
  const moebench::BuildInfo& build = moebench::build_info();
  return "moebench " + build.version + " (" + build.git_commit + ")\n" + build.compiler + ", " +
         build.build_type + "\n";
}

// The subcommand that the user got as far as, for pointing at the right help.
std::string help_command(const CLI::App& app) {
  std::string command = "moebench";
  for (const CLI::App* sub : app.get_subcommands()) command += " " + sub->get_name();
  return command + " --help";
}

// What is wrong with the words that name the command; empty: nothing. Of "moebench bnech --model x"
// CLI11 would list every word from there on, and of "moebench model info" none.
std::string command_error(const CLI::App& app, int argc, char** argv) {
  const CLI::App* at = &app;
  std::string path;
  int word = 1;
  for (; !at->get_subcommands().empty(); ++word) {
    at = at->get_subcommands().front();
    path += (path.empty() ? "" : " ") + at->get_name();
  }
  std::string choices;
  for (const CLI::App* choice : at->get_subcommands([](const CLI::App*) { return true; }))
    choices += (choices.empty() ? "" : ", ") + choice->get_name();
  if (choices.empty()) return {};
  if (word < argc && argv[word][0] != '-')
    return "there is no command '" + path + (path.empty() ? "" : " ") + argv[word] + "'";
  return path.empty() ? "" : "'" + path + "' needs one of its commands: " + choices;
}

int run_action(const Action& action) {
  try {
    const ExitCode code = action();
    moebench::write_stdout({});  // what was only printed must have arrived, too
    return static_cast<int>(code);
  } catch (const moebench::ClosedPipe&) {
    return static_cast<int>(ExitCode::kRunError);
  } catch (const moebench::Error& error) {
    moebench::print_error(error.what(), error.remedy());
    return static_cast<int>(moebench::exit_code_of(error.code()));
  } catch (const std::bad_alloc&) {
    moebench::print_error("out of memory", "a smaller --batch-size, or --weights-type q8_0");
    return static_cast<int>(ExitCode::kRunError);
  } catch (const std::exception& error) {
    moebench::print_error(std::string("unexpected: ") + error.what());
    return static_cast<int>(ExitCode::kRunError);
  }
}

}  // namespace

int main(int argc, char** argv) {
  // A full disk or a closed pipe must come back as an errno, so that the run can be kept.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);

  CLI::App app{
      "Evaluates Mixture-of-Experts reasoning models: accuracy, speed and cost from the same "
      "tokens.",
      "moebench"};
  app.formatter(moebench::make_help_format());
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.get_formatter()->label("Positionals", "Arguments");
  app.set_help_flag("-h,--help", "Show this help");
  app.set_version_flag("--version", version_text, "Show version, commit and compiler");
  app.footer(kFooter);
  app.require_subcommand(0, 1);

  Action chosen;
  moebench::add_commands(app, chosen);
  for (CLI::App* sub : app.get_subcommands([](CLI::App*) { return true; })) sub->group("Commands");

  try {
    app.parse(argc, argv);
    if (chosen == nullptr) {
      std::fputs(app.help().c_str(), stderr);
      return static_cast<int>(ExitCode::kUsage);
    }
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    const std::string wrong = command_error(app, argc, argv);
    moebench::print_error(wrong.empty() ? error.what() : wrong, help_command(app));
    return static_cast<int>(ExitCode::kUsage);
  }
  return run_action(chosen);
}
