#include "harness/cli/commands.h"

namespace moebench {

void add_commands(CLI::App& app, Action& chosen) {
  add_run_command(app, chosen);
  add_merge_command(app, chosen);
  add_report_command(app, chosen);
  add_bench_command(app, chosen);
  add_check_command(app, chosen);
  add_devices_command(app, chosen);
  add_model_command(app, chosen);
  add_score_command(app, chosen);
  add_data_command(app, chosen);
  add_compare_command(app, chosen);
  add_gate_command(app, chosen);
  add_history_command(app, chosen);
  add_cost_command(app, chosen);
  add_claims_command(app, chosen);
  add_generate_command(app, chosen);
  add_serve_command(app, chosen);
  add_worker_command(app, chosen);
}

}  // namespace moebench
