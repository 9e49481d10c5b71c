#include "harness/cli/run_reports.h"

#include "harness/cli/console.h"
#include "reports/record/record_files.h"

namespace moebench {

void write_reports(const std::filesystem::path& run_directory) {
  const LoadedRun loaded = load_run(run_directory);
  for (const std::string& warning : loaded.warnings) print_warning(warning);
  std::string text;
  for (const TaskRecord& task : loaded.run.tasks) {
    text += task.name + ": " + std::to_string(task.counts.correct) + " of " +
            std::to_string(task.counts.total()) + " correct\n";
  }
  write_stdout(text);
}

}  // namespace moebench
