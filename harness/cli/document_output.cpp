#include "harness/cli/document_output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "engine/base/error.h"
#include "harness/cli/console.h"
#include "harness/cli/run_reports.h"

namespace moebench {
namespace {

std::string render(const Document& document, const std::string& format) {
  if (format == "html") return render_html(document);
  if (format == "md") return render_markdown(document);
  if (format == "csv") return render_csv(document);
  if (format == "json") return render_json(document);
  throw Error(ErrorCode::kUsage, "\"" + format + "\" is no format of a report",
              "name the file .html, .md, .csv or .json");
}

}  // namespace

ConsoleStyle stdout_style() {
  ConsoleStyle style;
  style.color = wants_colour(stdout);
  winsize size{};
  if (isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
      size.ws_col >= 60) {
    style.width = size.ws_col;
  }
  return style;
}

void add_document_options(CLI::App& command, DocumentTarget& target, const std::string& group) {
  CLI::Option* const format =
      command
          .add_option("--format", target.format, "The whole report to stdout: md, html, csv, json")
          ->check(CLI::IsMember({"md", "html", "csv", "json"}))
          ->option_text("FORMAT");
  CLI::Option* const file =
      command
          .add_option("-o,--output", target.file,
                      "Write the whole report to a file (.html, .md, .csv or .json)")
          ->option_text("FILE");
  if (group.empty()) return;
  format->group(group);
  file->group(group);
}

void write_document(const Document& whole, const Document& brief, const DocumentTarget& target) {
  if (!target.file.empty()) {
    const std::string ending = target.file.extension().string();
    write_file(target.file, render(whole, ending.empty() ? "" : ending.substr(1)));
    print_note("report: " + target.file.string());
  }
  if (!target.format.empty())
    write_stdout(render(whole, target.format));
  else
    write_stdout(render_console(brief, stdout_style()));
}

}  // namespace moebench
