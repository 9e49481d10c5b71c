#pragma once

#include <filesystem>
#include <string>

#include "reports/render/render.h"

namespace CLI {
class App;
}

namespace moebench {

/// How stdout wants its text: colour and width of the terminal, plain where it is none.
ConsoleStyle stdout_style();

/// Where a report goes: to `file`, in the format of its ending (.html, .md, .csv, .json), else to
/// stdout in `format` ("" is the console's).
struct DocumentTarget {
  std::string format;
  std::filesystem::path file;
};

/// --format and -o, of a command that writes a report. `group` heads them in the help, if given.
void add_document_options(CLI::App& command, DocumentTarget& target, const std::string& group = {});

/// `brief` goes to a console, `whole` to everything else. Throws Error(kUsage) for a file whose
/// ending names no format, Error(kIo).
void write_document(const Document& whole, const Document& brief, const DocumentTarget& target);

}  // namespace moebench
