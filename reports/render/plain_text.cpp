#include <algorithm>

#include "reports/render/cells.h"
#include "reports/render/render.h"

namespace moebench {
namespace {

// Columns that a UTF-8 text takes on a terminal, near enough: one a code point, control characters
// shown as spaces.
std::size_t display_width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

// Terminal control sequences in a model's or a file's text must not reach the terminal.
std::string printable(const std::string& text) {
  std::string clean = text;
  for (char& c : clean)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return clean;
}

std::string cut_to(const std::string& text, std::size_t width) {
  if (display_width(text) <= width) return text;
  std::size_t at = 0, columns = 0;
  while (at < text.size() && columns + 1 < width) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) ++at;
    ++columns;
  }
  return text.substr(0, at) + "\xe2\x80\xa6";
}

class ConsoleRenderer {
 public:
  explicit ConsoleRenderer(const ConsoleStyle& style) : style_(style) {}

  std::string render(const Document& document) {
    heading(document.title);
    if (!document.subtitle.empty()) out_ += document.subtitle + "\n";
    if (!document.headlines.empty()) out_ += "\n";
    std::size_t width = 0;
    for (const Headline& headline : document.headlines)
      width = std::max(width, display_width(headline.label));
    for (const Headline& headline : document.headlines) {
      out_ += "  " + pad(printable(headline.label), width, false) + "  " +
              paint(headline.value, headline.tone, true);
      if (!headline.detail.empty()) out_ += "  " + headline.detail;
      out_ += "\n";
    }
    for (const Section& section : document.sections) {
      out_ += "\n";
      heading(section.title);
      for (const Block& block : section.blocks)
        std::visit([this](const auto& b) { add(b); }, block);
    }
    return std::move(out_);
  }

 private:
  void heading(const std::string& text) {
    out_ += (style_.color ? "\x1b[1m" + printable(text) + "\x1b[0m" : printable(text)) + "\n";
  }

  std::string paint(const std::string& text, Tone tone, bool bold = false) const {
    if (!style_.color) return text;
    const char* color = tone == Tone::kGood        ? "\x1b[32m"
                        : tone == Tone::kBad       ? "\x1b[31m"
                        : tone == Tone::kUncertain ? "\x1b[33m"
                        : bold                     ? "\x1b[1m"
                                                   : "";
    return *color ? color + text + "\x1b[0m" : text;
  }

  static std::string pad(const std::string& text, std::size_t width, bool right) {
    const std::size_t have = display_width(text);
    const std::string fill(width > have ? width - have : 0, ' ');
    return right ? fill + text : text + fill;
  }

  void add(const Paragraph& paragraph) {
    out_ += paint(printable(paragraph.text), paragraph.tone) + "\n";
  }

  void add(const KeyValues& values) {
    std::size_t width = 0;
    for (const auto& [key, value] : values.entries) width = std::max(width, display_width(key));
    for (const auto& [key, value] : values.entries)
      out_ += "  " + pad(key, width, false) + "  " + printable(value) + "\n";
  }

  void add(const Figure& figure) { add(figure.table); }

  void add(const SampleList& list) {
    out_ += "  " + format_count(static_cast<std::int64_t>(list.entries.size())) +
            " questions; the HTML report shows every answer\n";
  }

  void add(const Table& table) {
    if (!table.caption.empty()) out_ += "  " + printable(table.caption) + "\n";
    std::vector<std::size_t> widths;
    std::vector<std::string> titles;
    for (const Column& column : table.columns) {
      titles.push_back(column.unit.empty() ? column.title : column.title + " " + column.unit);
      widths.push_back(display_width(titles.back()));
    }
    for (const auto& row : table.rows)
      for (std::size_t c = 0; c < row.size() && c < widths.size(); ++c)
        widths[c] = std::max(widths[c], display_width(row[c].text));
    std::size_t total = 2;
    for (const std::size_t width : widths) total += width + 2;
    // Only text may be cut, the widest column first.
    while (total > static_cast<std::size_t>(style_.width)) {
      std::size_t widest = widths.size();
      for (std::size_t c = 0; c < widths.size(); ++c)
        if (!table.columns[c].numeric && widths[c] > 16 &&
            (widest == widths.size() || widths[c] > widths[widest]))
          widest = c;
      if (widest == widths.size()) break;
      --widths[widest];
      --total;
    }
    const auto line = [&](const auto& cell_of, const auto& paint_of) {
      std::string text = "  ";
      for (std::size_t c = 0; c < widths.size(); ++c) {
        const std::string cell = cut_to(printable(cell_of(c)), widths[c]);
        text += paint_of(c, pad(cell, widths[c], table.columns[c].numeric)) + "  ";
      }
      out_ += text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
    };
    line([&](std::size_t c) { return titles[c]; },
         [&](std::size_t, const std::string& text) {
           return style_.color ? "\x1b[2m" + text + "\x1b[0m" : text;
         });
    for (const auto& row : table.rows)
      line([&](std::size_t c) { return c < row.size() ? row[c].text : std::string(); },
           [&](std::size_t c, const std::string& text) {
             return c < row.size() ? paint(text, row[c].tone) : text;
           });
    if (table.provenance != Provenance::kMeasured)
      out_ += std::string("  (") + to_string(table.provenance) + ")\n";
    if (!table.note.empty()) out_ += "  " + printable(table.note) + "\n";
  }

  ConsoleStyle style_;
  std::string out_;
};

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
  void add(const Figure& figure) { add(figure.table); }
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
  void add(const Table& table) {
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

std::string render_console(const Document& document, const ConsoleStyle& style) {
  return ConsoleRenderer(style).render(document);
}

std::string render_markdown(const Document& document) {
  return MarkdownRenderer().render(document);
}

}  // namespace moebench
