#pragma once

#include <string>

#include "reports/render/document.h"

namespace moebench {

struct ConsoleStyle {
  bool color = false;  ///< ANSI colours; for a terminal only
  int width = 100;     ///< columns; longer text is wrapped, numbers never
};

/// Aligned plain text. A table too wide for any layout becomes a block a row. Plots are left out;
/// their tables stay.
std::string render_console(const Document& document, const ConsoleStyle& style = {});
/// GitHub's Markdown.
std::string render_markdown(const Document& document);
/// One HTML file with everything inside: no network, no other file.
std::string render_html(const Document& document);
/// Every number of every table, one a line: table, row, column, unit, value, low, high, provenance.
std::string render_csv(const Document& document);
/// One table as rows for other programs, values unrounded: CSV with a header of the columns' keys,
/// a JSON array of objects, or an object a line. Absent is an empty field, or null.
std::string table_csv(const Table& table);
std::string table_json(const Table& table);
std::string table_json_lines(const Table& table);
/// {"title", "subtitle", "tables": [{"id", "columns", "rows"}], "notes"}; samples stay in
/// samples.jsonl.
std::string render_json(const Document& document);

}  // namespace moebench
