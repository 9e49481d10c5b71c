#include <algorithm>

#include "reports/render/cells.h"
#include "reports/render/render.h"

namespace moebench {
namespace {

// Markdown: what would be read as markup, or end a table's cell, is escaped.
std::string markdown_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n' || c == '\r') {
      out += ' ';
      continue;
    }
    if (c == '<') {
      out += "&lt;";
      continue;
    }
    if (c == '|' || c == '`' || c == '*' || c == '_' || c == '\\' || c == '[' || c == '$')
      out += '\\';
    out += c;
  }
  return out;
}

// A code block whose fence is longer than any fence inside.
std::string code_block(const std::string& text) {
  std::size_t longest = 2, run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(longest + 1, '`');
  return fence + "\n" + text + (text.ends_with('\n') ? "" : "\n") + fence + "\n";
}

class MarkdownRenderer {
 public:
  std::string render(const Document& document) {
    out_ = "# " + markdown_text(document.title) + "\n\n";
    if (!document.subtitle.empty()) out_ += markdown_text(document.subtitle) + "\n\n";
    for (const Headline& headline : document.headlines)
      out_ += "- " + markdown_text(headline.label) + ": **" + markdown_text(headline.value) +
              "** " + markdown_text(headline.detail) + "\n";
    for (const Section& section : document.sections) {
      out_ += "\n## " + markdown_text(section.title) + "\n\n";
      for (const Block& block : section.blocks)
        std::visit([this](const auto& b) { add(b); }, block);
    }
    return std::move(out_);
  }

 private:
  void add(const Paragraph& paragraph) {
    const bool warns = paragraph.tone == Tone::kBad || paragraph.tone == Tone::kUncertain;
    out_ += (warns ? "> " : "") + markdown_text(paragraph.text) + "\n\n";
  }
  void add(const KeyValues& values) {
    if (!values.caption.empty()) out_ += "**" + markdown_text(values.caption) + "**\n\n";
    out_ += "| setting | value |\n| --- | --- |\n";
    for (const auto& [key, value] : values.entries)
      out_ += "| " + markdown_text(key) + " | " + markdown_text(value) + " |\n";
    out_ += "\n";
  }
  // The plot is left out; its table takes its caption where it has none.
  void add(const Figure& figure) {
    Table table = figure.table;
    if (table.caption.empty()) table.caption = figure.caption;
    add(table);
  }
  void add(const SampleList& list) {
    constexpr std::size_t kShown = 5;
    const std::size_t count = list.entries.size();
    out_ += "The first " + std::to_string(std::min(count, kShown)) + " of " +
            std::to_string(count) + " questions; samples.jsonl and the HTML report hold all.\n\n";
    for (std::size_t i = 0; i < std::min(count, kShown); ++i) {
      const SampleEntry& entry = list.entries[i];
      for (const SampleEntry::Answer& answer : entry.answers) {
        out_ += "### " + markdown_text(entry.question_id) + ": " + markdown_text(answer.verdict) +
                (answer.run.empty() ? "" : " (" + markdown_text(answer.run) + ")") + "\n\n";
        if (!entry.question.empty()) out_ += code_block(entry.question) + "\n";
        out_ += "Expected " + code_span(entry.target) + ", found " + code_span(answer.extracted) +
                ".\n\n";
        out_ += code_block(answer.thinking.empty() ? answer.output
                                                   : answer.thinking + "\n" + answer.output) +
                "\n";
      }
    }
  }
  static std::string code_span(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    std::replace(text.begin(), text.end(), '`', '\'');
    return text.empty() ? "nothing" : "`" + text + "`";
  }
  void add(const Table& whole) {
    const Table table = with_readable_units(whole);
    if (!table.caption.empty()) out_ += "**" + markdown_text(table.caption) + "**";
    if (table.provenance != Provenance::kMeasured)
      out_ += std::string(" (") + to_string(table.provenance) + ")";
    out_ += "\n\n|";
    for (const Column& column : table.columns)
      out_ += " " + markdown_text(column.title) +
              (column.unit.empty() ? "" : ", " + markdown_text(column.unit)) + " |";
    out_ += "\n|";
    for (const Column& column : table.columns) out_ += column.numeric ? " ---: |" : " --- |";
    out_ += "\n";
    for (const auto& row : table.rows) {
      out_ += "|";
      for (const Cell& cell : row)
        out_ += " " + markdown_text(cell.text) +
                (cell.provenance ? std::string(" (") + to_string(*cell.provenance) + ")" : "") +
                " |";
      out_ += "\n";
    }
    out_ += "\n";
    if (!table.note.empty()) out_ += markdown_text(table.note) + "\n\n";
  }

  std::string out_;
};

}  // namespace

const char* to_string(Provenance provenance) {
  switch (provenance) {
    case Provenance::kMeasured:
      return "measured";
    case Provenance::kProjected:
      return "projected";
    case Provenance::kPublished:
      return "published";
    case Provenance::kAssumed:
      return "assumed";
  }
  return "measured";
}

std::string render_markdown(const Document& document) {
  return MarkdownRenderer().render(document);
}

}  // namespace moebench
