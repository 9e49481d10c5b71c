#pragma once

#include <functional>

#include "harness/cli/exit_code.h"

namespace CLI {
class App;
}

namespace moebench {

/// What the chosen subcommand does once the whole command line is parsed.
using Action = std::function<ExitCode()>;

// One line a subcommand: declare it here, call it in commands.cpp, write it in <name>_command.cpp.
// Each adds its subcommand to `app` and, when the user picks it, puts what to do into `chosen`.
void add_run_command(CLI::App& app, Action& chosen);
void add_report_command(CLI::App& app, Action& chosen);
void add_bench_command(CLI::App& app, Action& chosen);
void add_check_command(CLI::App& app, Action& chosen);
void add_devices_command(CLI::App& app, Action& chosen);
void add_model_command(CLI::App& app, Action& chosen);
void add_score_command(CLI::App& app, Action& chosen);
void add_data_command(CLI::App& app, Action& chosen);
void add_compare_command(CLI::App& app, Action& chosen);
void add_gate_command(CLI::App& app, Action& chosen);
void add_history_command(CLI::App& app, Action& chosen);
void add_cost_command(CLI::App& app, Action& chosen);
void add_claims_command(CLI::App& app, Action& chosen);
void add_generate_command(CLI::App& app, Action& chosen);
void add_serve_command(CLI::App& app, Action& chosen);
void add_merge_command(CLI::App& app, Action& chosen);
void add_worker_command(CLI::App& app, Action& chosen);

/// All of them, in the order in which `moebench --help` shows them.
void add_commands(CLI::App& app, Action& chosen);

}  // namespace moebench
