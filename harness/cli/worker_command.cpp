#include <unistd.h>

#include <CLI/CLI.hpp>

#include "engine/base/error.h"
#include "harness/cli/commands.h"
#include "harness/clients/worker_serve.h"

namespace moebench {

namespace {

constexpr const char* kFooter =
    R"(This is what `moebench run --workers N` starts N times. It takes no options: what to load and
what to answer comes over the standard input, as harness/clients/worker_protocol.h describes.)";

ExitCode serve() {
  if (isatty(STDIN_FILENO) != 0) {
    throw Error(ErrorCode::kUsage,
                "a worker talks to `moebench run --workers N`, not to a terminal",
                "moebench run --workers 1 --model MODEL --tasks TASKS");
  }
  return static_cast<ExitCode>(
      serve_worker_on_stdio([](const EngineOptions& options) { return make_client(options); }));
}

}  // namespace

void add_worker_command(CLI::App& app, Action& chosen) {
  CLI::App* sub = app.add_subcommand(
      "worker", "Hold an engine for `moebench run --workers N` (it starts these)");
  sub->footer(kFooter);
  sub->callback([&chosen] { chosen = serve; });
}

}  // namespace moebench
