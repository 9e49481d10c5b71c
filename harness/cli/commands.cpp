#include "harness/cli/commands.h"

namespace moebench {

void add_commands(CLI::App&, Action&) {}

}  // namespace moebench
