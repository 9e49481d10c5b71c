#include <algorithm>
#include <vector>

#include "reports/render/cells.h"
#include "reports/render/render.h"

namespace moebench {
namespace {

std::size_t continuation_bytes(const std::string& text, std::size_t at) {
  std::size_t n = 0;
  while (at + n < text.size() && (static_cast<unsigned char>(text[at + n]) & 0xc0) == 0x80) ++n;
  return n;
}

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

// The first `width` columns of a text, in bytes.
std::size_t prefix_bytes(const std::string& text, std::size_t width) {
  std::size_t at = 0;
  for (std::size_t columns = 0; at < text.size() && columns < width; ++columns) {
    ++at;
    at += continuation_bytes(text, at);
  }
  return at;
}

// Broken at spaces into lines of at most `width` columns; a longer word is broken where it must be.
std::vector<std::string> wrap(const std::string& text, std::size_t width) {
  width = std::max<std::size_t>(width, 1);
  std::vector<std::string> lines;
  std::string line;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    std::string word = text.substr(begin, end - begin);
    begin = end + 1;
    if (word.empty()) continue;
    if (!line.empty() && display_width(line) + 1 + display_width(word) > width) {
      lines.push_back(std::move(line));
      line.clear();
    }
    while (display_width(word) > width) {
      const std::size_t cut = prefix_bytes(word, width);
      lines.push_back(word.substr(0, cut));
      word.erase(0, cut);
    }
    line += (line.empty() ? "" : " ") + word;
  }
  if (!line.empty() || lines.empty()) lines.push_back(std::move(line));
  return lines;
}

std::size_t longest_word(const std::string& text) {
  std::size_t longest = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    longest = std::max(longest, display_width(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return longest;
}

std::string pad(const std::string& text, std::size_t width, bool right) {
  const std::size_t have = display_width(text);
  const std::string fill(width > have ? width - have : 0, ' ');
  return right ? fill + text : text + fill;
}

// How wide each column of a table may be, so that the whole fits; empty where it can't.
struct Layout {
  std::vector<std::size_t> widths;
  std::size_t total() const {
    std::size_t sum = 2;
    for (const std::size_t width : widths) sum += width + 2;
    return sum - 2;
  }
};

Layout lay_out(const Table& table, const std::vector<std::string>& titles, std::size_t width) {
  // A text narrower than this reads badly; a number is never broken.
  constexpr std::size_t kNarrowText = 14;
  Layout layout;
  std::vector<std::size_t> least;
  for (std::size_t c = 0; c < titles.size(); ++c) {
    std::size_t cells = 0, words = longest_word(titles[c]);
    for (const auto& row : table.rows) {
      if (c >= row.size()) continue;
      cells = std::max(cells, display_width(row[c].text));
      words = std::max(words, longest_word(row[c].text));
    }
    layout.widths.push_back(std::max(cells, display_width(titles[c])));
    least.push_back(
        table.columns[c].numeric
            ? std::max(cells, longest_word(titles[c]))
            : std::min(layout.widths[c], std::max(kNarrowText, std::min(words, 2 * kNarrowText))));
  }
  while (layout.total() > width) {
    std::size_t widest = titles.size();
    for (std::size_t c = 0; c < titles.size(); ++c)
      if (layout.widths[c] > least[c] &&
          (widest == titles.size() || layout.widths[c] > layout.widths[widest]))
        widest = c;
    if (widest == titles.size()) return {};
    --layout.widths[widest];
  }
  return layout;
}

class ConsoleRenderer {
 public:
  explicit ConsoleRenderer(const ConsoleStyle& style)
      : style_(style), width_(static_cast<std::size_t>(std::max(style.width, 40))) {}

  std::string render(const Document& document) {
    heading(document.title);
    if (!document.subtitle.empty()) paragraph(document.subtitle, "", Tone::kNeutral);
    if (!document.headlines.empty()) out_ += "\n";
    std::size_t labels = 0, values = 0;
    for (const Headline& headline : document.headlines) {
      labels = std::max(labels, display_width(headline.label));
      values = std::max(values, display_width(headline.value));
    }
    for (const Headline& headline : document.headlines) {
      out_ += "  " + pad(printable(headline.label), labels, false) + "  " +
              paint(pad(printable(headline.value), headline.detail.empty() ? 0 : values, false),
                    headline.tone, true);
      const std::size_t at = 2 + labels + 2 + values + 2;
      if (!headline.detail.empty())
        out_ += "  " + hang(printable(headline.detail), at > width_ / 2 ? 6 : at, at);
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

  // The text that begins at column `at` of a line, its other lines indented.
  std::string hang(const std::string& text, std::size_t indent, std::size_t at) const {
    if (at + display_width(text) <= width_) return text;
    if (indent < at) {  // no room beside: below
      std::string out;
      for (const std::string& line : wrap(text, width_ - indent))
        out += "\n" + std::string(indent, ' ') + line;
      return out;
    }
    std::string out;
    for (const std::string& line : wrap(text, width_ - indent))
      out += (out.empty() ? "" : "\n" + std::string(indent, ' ')) + line;
    return out;
  }

  void paragraph(const std::string& text, const std::string& indent, Tone tone) {
    for (const std::string& line : wrap(printable(text), width_ - indent.size()))
      out_ += indent + paint(line, tone) + "\n";
  }

  void add(const Paragraph& text) { paragraph(text.text, "", text.tone); }

  void add(const KeyValues& values) {
    std::size_t width = 0;
    for (const auto& [key, value] : values.entries) width = std::max(width, display_width(key));
    width = std::min(width, width_ / 3);
    for (const auto& [key, value] : values.entries)
      out_ += "  " + pad(key, width, false) + "  " + hang(printable(value), width + 4, width + 4) +
              "\n";
  }

  // The plot is left out; its table takes its caption where it has none.
  void add(const Figure& figure) {
    Table table = figure.table;
    if (table.caption.empty()) table.caption = figure.caption;
    add(table);
  }

  void add(const SampleList& list) {
    out_ += "  " + format_count(static_cast<std::int64_t>(list.entries.size())) +
            " questions; the HTML report shows every answer\n";
  }

  static std::vector<std::string> titles_of(const Table& table) {
    std::vector<std::string> titles;
    for (const Column& column : table.columns)
      titles.push_back(
          printable(column.unit.empty() ? column.title : column.title + " " + column.unit));
    return titles;
  }

  // The table without its secondary columns.
  static Table brief(const Table& table) {
    Table kept = table;
    std::erase_if(kept.columns, [](const Column& column) { return column.secondary; });
    for (auto& row : kept.rows) {
      std::vector<Cell> cells;
      for (std::size_t c = 0; c < row.size() && c < table.columns.size(); ++c)
        if (!table.columns[c].secondary) cells.push_back(std::move(row[c]));
      row = std::move(cells);
    }
    return kept;
  }

  void add(const Table& whole) {
    Table table = with_readable_units(whole);
    if (!table.caption.empty()) paragraph(table.caption, "  ", Tone::kNeutral);
    Layout layout = lay_out(table, titles_of(table), width_);
    std::string left_out;
    if (layout.widths.empty()) {
      Table shorter = brief(table);
      layout = lay_out(shorter, titles_of(shorter), width_);
      if (!layout.widths.empty() && shorter.columns.size() < table.columns.size()) {
        for (const Column& column : table.columns)
          if (column.secondary) left_out += (left_out.empty() ? "" : "; ") + column.title;
        table = std::move(shorter);
      }
    }
    if (layout.widths.empty())
      add_stacked(table, titles_of(table));
    else
      add_grid(table, titles_of(table), layout.widths);
    if (!left_out.empty())
      paragraph("(not shown for want of width: " + left_out + "; --format md shows all)", "  ",
                Tone::kNeutral);
    if (table.provenance != Provenance::kMeasured)
      out_ += std::string("  (") + to_string(table.provenance) + ")\n";
    if (!table.note.empty()) paragraph(table.note, "  ", Tone::kNeutral);
  }

  void add_grid(const Table& table, const std::vector<std::string>& titles,
                const std::vector<std::size_t>& widths) {
    const auto line_up = [&](const auto& text_of, const auto& paint_of) {
      std::vector<std::vector<std::string>> cells;
      std::size_t height = 1;
      for (std::size_t c = 0; c < widths.size(); ++c) {
        cells.push_back(wrap(printable(text_of(c)), widths[c]));
        height = std::max(height, cells.back().size());
      }
      for (std::size_t l = 0; l < height; ++l) {
        std::string text = "  ";
        std::size_t pending = 0;  // spaces that only matter if something follows
        for (std::size_t c = 0; c < widths.size(); ++c) {
          const std::string cell = l < cells[c].size() ? cells[c][l] : "";
          const std::size_t fill = widths[c] - std::min(widths[c], display_width(cell));
          if (cell.empty()) {
            pending += widths[c] + 2;
            continue;
          }
          const bool right = table.columns[c].numeric;
          text += std::string(pending + (right ? fill : 0), ' ') + paint_of(c, cell);
          pending = (right ? 0 : fill) + 2;
        }
        out_ += text + "\n";
      }
    };
    line_up([&](std::size_t c) { return titles[c]; },
            [&](std::size_t, const std::string& text) {
              return style_.color ? "\x1b[2m" + text + "\x1b[0m" : text;
            });
    for (const auto& row : table.rows)
      line_up([&](std::size_t c) { return c < row.size() ? row[c].text : std::string(); },
              [&](std::size_t c, const std::string& text) {
                return c < row.size() ? paint(text, row[c].tone) : text;
              });
  }

  // A table that no width serves: a block a row, a line a cell.
  void add_stacked(const Table& table, const std::vector<std::string>& titles) {
    std::size_t names = 0;
    for (const std::string& title : titles) names = std::max(names, display_width(title));
    names = std::min(names, width_ / 3);
    for (const auto& row : table.rows) {
      for (std::size_t c = 0; c < row.size() && c < titles.size(); ++c) {
        const std::vector<std::string> name = wrap(titles[c], names);
        const std::vector<std::string> value = wrap(printable(row[c].text), width_ - names - 6);
        for (std::size_t l = 0; l < std::max(name.size(), value.size()); ++l) {
          out_ += (c == 0 && l == 0 ? "  - " : "    ") +
                  pad(l < name.size() ? name[l] : "", names, false);
          if (l < value.size()) out_ += "  " + paint(value[l], row[c].tone);
          out_ += "\n";
        }
      }
    }
  }

  ConsoleStyle style_;
  std::size_t width_;
  std::string out_;
};

}  // namespace

std::string render_console(const Document& document, const ConsoleStyle& style) {
  return ConsoleRenderer(style).render(document);
}

}  // namespace moebench
