#pragma once

#include <filesystem>

namespace moebench {

/// Renders what the run directory holds: a summary to stdout, report.md and report.html beside the
/// record. Throws Error(kIo), Error(kConfiguration).
void write_reports(const std::filesystem::path& run_directory);

}  // namespace moebench
