#pragma once

#include <filesystem>

#include "reports/run_report/run_report.h"

namespace moebench {

/// Renders what the run directory holds: a summary to stdout, report.md and report.html beside the
/// record; says on stderr where they are. Throws Error(kIo), Error(kConfiguration).
void write_run_reports(const std::filesystem::path& run_directory,
                       const RunReportOptions& options = {});

/// Writes a whole file so that a reader sees the old or the new one. Throws Error(kIo).
void write_file(const std::filesystem::path& path, const std::string& text);

}  // namespace moebench
