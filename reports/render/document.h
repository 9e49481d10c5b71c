#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "reports/statistics/interval.h"

namespace moebench {

// What a report says, before it is anything on a screen: every analysis builds a Document, and each
// renderer (console, Markdown, HTML, CSV, JSON) shows any Document. Numbers stay numbers here, so
// that every rendering shows the same ones.

/// Where a figure comes from; shown wherever it isn't plain from the context.
enum class Provenance : std::uint8_t {
  kMeasured,
  kProjected,  ///< computed for a machine that was not at hand
  kPublished,  ///< somebody else's figure, with its source
  kAssumed,    ///< given by the user or chosen, not found out
};
const char* to_string(Provenance provenance);  ///< "measured", ...

/// How a cell is coloured; never the only carrier of its meaning.
enum class Tone : std::uint8_t { kNeutral, kGood, kBad, kUncertain };

struct Cell {
  std::string text;             ///< what a person reads; "–" for what is not known
  std::optional<double> value;  ///< what sorts, and what CSV and JSON hold; unrounded
  std::optional<Interval> interval;
  Tone tone = Tone::kNeutral;
  std::optional<Provenance> provenance;  ///< where it differs from the table's
};

struct Column {
  std::string key;    ///< for CSV and JSON; unit in the name: "ttft_ms"
  std::string title;  ///< for people
  std::string unit;   ///< "ms", "USD/M", "%"; empty for none
  bool numeric = false;
  bool secondary = false;  ///< a console too narrow for the table leaves it out, and says so
};

struct Table {
  std::string id, caption;
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;
  Provenance provenance = Provenance::kMeasured;
  std::string note;  ///< definitions, the rule behind a column
};

struct Axis {
  std::string title, unit;
  bool logarithmic = false;
  std::optional<double> min, max;  ///< absent: from the data
};

/// A dot and a whisker a row.
struct IntervalPlot {
  struct Row {
    std::string label, group;
    double value = 0;
    Interval interval;
    Tone tone = Tone::kNeutral;
  };
  Axis axis;
  std::vector<Row> rows;
  std::optional<double> reference;  ///< a line to compare with (0 for a difference)
};

/// Points with optional whiskers; `series` are joined by a line where `joined`.
struct ScatterPlot {
  struct Point {
    std::string label, series;
    double x = 0, y = 0;
    std::optional<Interval> x_interval, y_interval;
    bool on_front = false;  ///< drawn filled, joined to the other front points in order of x
    bool labelled = true;   ///< else only the tooltip tells the label
  };
  Axis x, y;
  std::vector<Point> points;
  bool joined = false;
};

/// Shares of a whole, a bar a row.
struct StackedBars {
  std::vector<std::string> parts;  ///< legend, in order; at most six
  struct Row {
    std::string label;
    std::vector<double> values;
  };
  std::vector<Row> rows;
};

struct HeatMap {
  std::string row_title, column_title, value_title;
  std::vector<std::string> row_labels;
  std::vector<std::vector<double>> values;  ///< (row, column), not negative
};

/// Axes from a common centre; values are 0 to 1, further out is better.
struct RadarPlot {
  std::vector<std::string> axes;
  struct Series {
    std::string label;
    std::vector<double> values;
  };
  std::vector<Series> series;
};

using Plot = std::variant<IntervalPlot, ScatterPlot, StackedBars, HeatMap, RadarPlot>;

/// A plot never stands alone: the table holds its numbers.
struct Figure {
  std::string id, caption;
  Plot plot;
  Table table;
};

struct Paragraph {
  std::string text;
  Tone tone = Tone::kNeutral;  ///< kBad and kUncertain are shown as warnings
};

/// What a run's settings and hashes are.
struct KeyValues {
  std::string id, caption;
  std::vector<std::pair<std::string, std::string>> entries;
};

/// One attempt, or one question that several runs answered, for the page of samples.
struct SampleEntry {
  std::string task, question_id, level, subject, question, target;
  struct Answer {
    std::string run, verdict, extracted, reason, thinking, output;
    std::int64_t attempt = 0, output_tokens = 0;
    std::optional<double> seconds = {}, usd = {};
  };
  std::vector<Answer> answers;
};

/// Whole in HTML (filtered there) and JSON; the first few in Markdown; a count in the console.
struct SampleList {
  std::string id, caption;
  std::vector<SampleEntry> entries;
};

using Block = std::variant<Paragraph, Table, Figure, KeyValues, SampleList>;

struct Section {
  std::string id, title;
  std::vector<Block> blocks;
};

/// A figure for the top of the page.
struct Headline {
  std::string label, value, detail;
  Tone tone = Tone::kNeutral;
};

struct Document {
  std::string title, subtitle;
  std::vector<Headline> headlines;
  std::vector<Section> sections;
};

}  // namespace moebench
