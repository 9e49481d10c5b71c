#include "harness/cli/run_reports.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "engine/base/error.h"
#include "harness/cli/console.h"
#include "harness/cli/document_output.h"
#include "reports/record/record_files.h"
#include "reports/render/render.h"

namespace moebench {

void write_file(const std::filesystem::path& path, const std::string& text) {
  const std::filesystem::path temporary = path.string() + ".new";
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  bool written = file != nullptr;
  if (file != nullptr) {
    written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    written = (std::fclose(file) == 0) && written;
  }
  written = written && std::rename(temporary.c_str(), path.c_str()) == 0;
  if (written) return;
  const std::string reason = std::strerror(errno);
  std::remove(temporary.c_str());
  throw Error(ErrorCode::kIo, path.string() + ": cannot be written: " + reason);
}

void write_run_reports(const std::filesystem::path& run_directory,
                       const RunReportOptions& options) {
  const LoadedRun loaded = load_run(run_directory);
  const Document report = build_run_report(loaded, options);
  write_file(run_directory / "report.md", render_markdown(report));
  write_file(run_directory / "report.html", render_html(report));
  write_stdout(render_console(build_run_summary(loaded, options), stdout_style()));
  print_note("report: " + (run_directory / "report.html").string());
}

}  // namespace moebench
