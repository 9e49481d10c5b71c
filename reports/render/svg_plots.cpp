#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "reports/render/cells.h"
#include "reports/render/svg.h"

namespace moebench {
namespace {

constexpr double kWidth = 440;      // of every plot; the page scales it
constexpr double kCharacter = 7.3;  // advance of the 12 px label font, in wide fonts

std::string px(double value) {
  std::string text = format_fixed(value, 1);
  std::erase(text, ',');
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string shorten(const std::string& text, std::size_t limit) {
  if (characters(text) <= limit) return text;
  std::size_t at = 0, count = 0;
  while (at < text.size() && count + 1 < limit) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) ++at;
    ++count;
  }
  return text.substr(0, at) + "\xe2\x80\xa6";
}

// 20, 0.5, 1e+15: a tick is a round number and needs no zeros behind it.
std::string tick_text(double value) {
  std::string text = format_number(value, 3);
  if (text.find('.') != std::string::npos && text.find('e') == std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
  }
  return text;
}

std::string axis_title(const Axis& axis) {
  std::string title = axis.title;
  if (!axis.unit.empty()) title += ", " + axis.unit;
  if (axis.logarithmic) title += " (log scale)";
  return title;
}

class Svg {
 public:
  void text(double x, double y, const std::string& content, const char* css, const char* anchor) {
    body_ += "<text x=\"" + px(x) + "\" y=\"" + px(y) + "\" class=\"" + css + "\" text-anchor=\"" +
             anchor + "\">" + escape_markup(content) + "</text>";
  }
  void line(double x1, double y1, double x2, double y2, const char* css) {
    body_ += "<line x1=\"" + px(x1) + "\" y1=\"" + px(y1) + "\" x2=\"" + px(x2) + "\" y2=\"" +
             px(y2) + "\" class=\"" + css + "\"/>";
  }
  void raw(const std::string& element) { body_ += element; }

  void horizontal_axis(const Scale& scale, const Axis& axis, double top, double bottom) {
    for (const double tick : scale.ticks()) {
      const double x = scale(tick);
      line(x, top, x, bottom, "grid");
      text(x, bottom + 16, tick_text(tick), "tick", "middle");
    }
    text((scale.pixel_min + scale.pixel_max) / 2, bottom + 34, axis_title(axis), "axis", "middle");
  }

  std::string finish(double height, const std::string& title) const {
    return "<svg viewBox=\"0 0 " + px(kWidth) + " " + px(height) + "\" role=\"img\" aria-label=\"" +
           escape_markup(title) + "\">" + body_ + "</svg>";
  }

 private:
  std::string body_;
};

std::string whisker(double from, double to, double fixed, bool horizontal, const std::string& css) {
  const auto segment = [&](double a, double b, double c, double d) {
    return horizontal ? "M" + px(a) + " " + px(b) + "L" + px(c) + " " + px(d)
                      : "M" + px(b) + " " + px(a) + "L" + px(d) + " " + px(c);
  };
  return "<path class=\"whisker " + css + "\" d=\"" + segment(from, fixed, to, fixed) +
         segment(from, fixed - 4, from, fixed + 4) + segment(to, fixed - 4, to, fixed + 4) + "\"/>";
}

std::string draw(const IntervalPlot& plot, const std::string& title) {
  Svg svg;
  std::size_t longest = 4;
  for (const auto& row : plot.rows) longest = std::max(longest, characters(row.label));
  const std::size_t shown = std::min<std::size_t>(longest, 30);
  const double left = static_cast<double>(shown) * kCharacter + 14, right = kWidth - 14;
  constexpr double kRow = 24;
  std::vector<double> values;
  for (const auto& row : plot.rows) {
    values.push_back(row.value);
    values.push_back(row.interval.low);
    values.push_back(row.interval.high);
  }
  if (plot.reference) values.push_back(*plot.reference);
  const Scale scale = fit_scale(plot.axis, values, left, right);
  double y = 8;
  std::vector<double> centers;
  std::string group;
  std::vector<std::pair<double, std::string>> group_titles;
  for (const auto& row : plot.rows) {
    if (!row.group.empty() && row.group != group) {
      group = row.group;
      group_titles.emplace_back(y + 15, group);
      y += 22;
    }
    centers.push_back(y + kRow / 2);
    y += kRow;
  }
  const double bottom = y + 4;
  svg.horizontal_axis(scale, plot.axis, 4, bottom);
  if (plot.reference)
    svg.line(scale(*plot.reference), 4, scale(*plot.reference), bottom, "reference");
  for (const auto& [at, name] : group_titles) svg.text(4, at, shorten(name, 40), "group", "start");
  for (std::size_t i = 0; i < plot.rows.size(); ++i) {
    const auto& row = plot.rows[i];
    const double at = centers[i];
    svg.raw("<g><title>" +
            escape_markup(row.label + ": " + format_number(row.value, 4) + " [" +
                          format_number(row.interval.low, 4) + ", " +
                          format_number(row.interval.high, 4) + "] " + plot.axis.unit) +
            "</title>");
    svg.text(left - 10, at + 4, shorten(row.label, shown), "label", "end");
    svg.raw(whisker(scale(row.interval.low), scale(row.interval.high), at, true,
                    tone_class(row.tone, "s0")));
    svg.raw("<circle class=\"dot " + std::string(tone_class(row.tone, "s0")) + "\" cx=\"" +
            px(scale(row.value)) + "\" cy=\"" + px(at) + "\" r=\"4.5\"/></g>");
  }
  return svg.finish(bottom + 42, title);
}

struct Box {
  double left, top, right, bottom;
  bool overlaps(const Box& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

std::string draw(const ScatterPlot& plot, const std::string& title) {
  Svg svg;
  constexpr double kTop = 12, kBottom = 270, kRight = kWidth - 16;
  std::vector<double> xs, ys;
  std::vector<std::string> series;
  for (const auto& point : plot.points) {
    xs.push_back(point.x);
    ys.push_back(point.y);
    if (point.x_interval) xs.insert(xs.end(), {point.x_interval->low, point.x_interval->high});
    if (point.y_interval) ys.insert(ys.end(), {point.y_interval->low, point.y_interval->high});
    if (std::find(series.begin(), series.end(), point.series) == series.end())
      series.push_back(point.series);
  }
  const Scale y = fit_scale(plot.y, ys, kBottom, kTop);
  std::size_t longest = 4;
  for (const double tick : y.ticks()) longest = std::max(longest, characters(tick_text(tick)));
  // The axis' title, then the ticks' numbers.
  const double left = 34 + static_cast<double>(longest) * kCharacter;
  const Scale x = fit_scale(plot.x, xs, left, kRight);
  svg.horizontal_axis(x, plot.x, kTop, kBottom);
  for (const double tick : y.ticks()) {
    svg.line(left, y(tick), kRight, y(tick), "grid");
    svg.text(left - 8, y(tick) + 4, tick_text(tick), "tick", "end");
  }
  svg.raw("<text class=\"axis\" text-anchor=\"middle\" transform=\"translate(14 " +
          px((kTop + kBottom) / 2) + ") rotate(-90)\">" + escape_markup(axis_title(plot.y)) +
          "</text>");
  const auto css_of = [&](const ScatterPlot::Point& point) {
    const auto at = std::find(series.begin(), series.end(), point.series) - series.begin();
    return "s" + std::to_string(at % 8);
  };
  std::map<std::string, std::vector<const ScatterPlot::Point*>> lines;
  for (const auto& point : plot.points) {
    if (plot.joined) lines[point.series].push_back(&point);
    if (point.on_front) lines["\nfront"].push_back(&point);
  }
  for (auto& [name, points] : lines) {
    std::stable_sort(points.begin(), points.end(), [](auto* a, auto* b) { return a->x < b->x; });
    std::string path;
    for (const auto* point : points)
      path += (path.empty() ? "M" : "L") + px(x(point->x)) + " " + px(y(point->y));
    svg.raw("<path class=\"" +
            (name == "\nfront" ? std::string("front") : "joined " + css_of(*points.front())) +
            "\" d=\"" + path + "\"/>");
  }
  std::vector<Box> taken;
  for (const auto& point : plot.points)
    taken.push_back({x(point.x) - 5, y(point.y) - 5, x(point.x) + 5, y(point.y) + 5});
  for (const auto& point : plot.points) {
    const double px_x = x(point.x), px_y = y(point.y);
    const std::string css = css_of(point);
    svg.raw("<g><title>" +
            escape_markup(point.label + ": " + format_number(point.x, 4) + " " + plot.x.unit +
                          ", " + format_number(point.y, 4) + " " + plot.y.unit) +
            "</title>");
    if (point.x_interval)
      svg.raw(whisker(x(point.x_interval->low), x(point.x_interval->high), px_y, true, css));
    if (point.y_interval)
      svg.raw(whisker(y(point.y_interval->low), y(point.y_interval->high), px_x, false, css));
    svg.raw("<circle class=\"dot " + css +
            (plot.points.size() > 1 && !point.on_front && !plot.joined ? " hollow" : "") +
            "\" cx=\"" + px(px_x) + "\" cy=\"" + px(px_y) + "\" r=\"5\"/></g>");
    // The first of some places around the point where the label meets nothing; none: no label, the
    // table and the tooltip have it.
    if (!point.labelled) continue;
    const std::string label = shorten(point.label, 28);
    const double width = static_cast<double>(characters(label)) * kCharacter;
    struct Place {
      double dx, dy;
      const char* anchor;
    };
    for (const Place& place : {Place{9, 4, "start"}, Place{-9, 4, "end"}, Place{9, -9, "start"},
                               Place{-9, -9, "end"}, Place{9, 17, "start"}, Place{-9, 17, "end"}}) {
      const bool start = *place.anchor == 's';
      const double from = start ? px_x + place.dx : px_x + place.dx - width;
      const Box box{from, px_y + place.dy - 11, from + width, px_y + place.dy + 3};
      const bool fits = box.left >= left && box.right <= kWidth && box.top >= 0 &&
                        std::none_of(taken.begin(), taken.end(),
                                     [&](const Box& other) { return other.overlaps(box); });
      if (!fits) continue;
      taken.push_back(box);
      svg.text(px_x + place.dx, px_y + place.dy, label, "label", place.anchor);
      break;
    }
  }
  return svg.finish(kBottom + 42, title);
}

std::string draw(const StackedBars& plot, const std::string& title) {
  Svg svg;
  std::size_t longest = 4;
  for (const auto& row : plot.rows) longest = std::max(longest, characters(row.label));
  const std::size_t shown = std::min<std::size_t>(longest, 30);
  const double left = static_cast<double>(shown) * kCharacter + 14, width = kWidth - 14 - left;
  double legend_x = 4, y = 30;
  for (std::size_t part = 0; part < plot.parts.size(); ++part) {
    svg.raw("<rect class=\"part" + std::to_string(part % 6) + "\" x=\"" + px(legend_x) +
            "\" y=\"6\" width=\"11\" height=\"11\" rx=\"2\"/>");
    svg.text(legend_x + 16, 16, plot.parts[part], "tick", "start");
    legend_x += 24 + static_cast<double>(characters(plot.parts[part])) * 6.6;
  }
  for (const auto& row : plot.rows) {
    double total = 0;
    for (const double value : row.values) total += value;
    svg.text(left - 10, y + 14, shorten(row.label, shown), "label", "end");
    double x = left;
    for (std::size_t part = 0; part < row.values.size() && total > 0; ++part) {
      const double share = row.values[part] / total;
      if (share <= 0) continue;
      svg.raw("<rect class=\"part" + std::to_string(part % 6) + "\" x=\"" + px(x) + "\" y=\"" +
              px(y) + "\" width=\"" + px(std::max(0.5, share * width - 1)) +
              "\" height=\"20\"><title>" +
              escape_markup(row.label + ", " + plot.parts[part] + ": " +
                            tick_text(row.values[part]) + " (" + format_percent(share) + " %)") +
              "</title></rect>");
      const std::string number = tick_text(row.values[part]);
      if (share * width > static_cast<double>(number.size()) * 7 + 8)
        svg.text(x + share * width / 2, y + 14.5, number, "inside", "middle");
      x += share * width;
    }
    y += 27;
  }
  return svg.finish(y + 4, title);
}

std::string draw(const HeatMap& map, const std::string& title) {
  Svg svg;
  std::size_t columns = 0;
  double highest = 0;
  for (const auto& row : map.values) {
    columns = std::max(columns, row.size());
    for (const double value : row) highest = std::max(highest, value);
  }
  // A page with more cells than pixels helps nobody: neighbours are averaged beyond 256 columns.
  const std::size_t merge = std::max<std::size_t>(1, (columns + 255) / 256);
  const std::size_t drawn = columns == 0 ? 1 : (columns + merge - 1) / merge;
  constexpr double kLeft = 88, kTop = 26;
  const double cell_width = (kWidth - kLeft - 10) / static_cast<double>(drawn);
  const double cell_height =
      std::clamp(300.0 / std::max<double>(1, static_cast<double>(map.values.size())), 5.0, 20.0);
  svg.text(kLeft - 6, 16, map.row_title + " \xe2\x86\x93", "axis", "end");
  svg.text(kLeft, 16,
           map.column_title + (columns > 1 ? " 0 to " + std::to_string(columns - 1) : "") +
               " \xe2\x86\x92",
           "axis", "start");
  const std::size_t label_stride = static_cast<std::size_t>(std::ceil(13 / cell_height));
  svg.raw("<g class=\"heat\">");
  for (std::size_t r = 0; r < map.values.size(); ++r)
    for (std::size_t c = 0; c < drawn; ++c) {
      double sum = 0;
      std::size_t count = 0;
      for (std::size_t i = c * merge; i < std::min((c + 1) * merge, map.values[r].size()); ++i) {
        sum += map.values[r][i];
        ++count;
      }
      if (count == 0 || sum <= 0) continue;
      const double strength = sum / static_cast<double>(count) / highest;
      svg.raw("<rect x=\"" + px(kLeft + static_cast<double>(c) * cell_width) + "\" y=\"" +
              px(kTop + static_cast<double>(r) * cell_height) + "\" width=\"" + px(cell_width) +
              "\" height=\"" + px(cell_height) + "\" fill-opacity=\"" +
              format_fixed(0.05 + 0.95 * strength, 2) + "\"/>");
    }
  svg.raw("</g>");
  for (std::size_t r = 0; r < map.values.size(); r += label_stride)
    svg.text(kLeft - 6, kTop + static_cast<double>(r) * cell_height + cell_height / 2 + 4,
             r < map.row_labels.size() ? map.row_labels[r] : std::to_string(r), "tick", "end");
  const double bottom = kTop + static_cast<double>(map.values.size()) * cell_height;
  svg.raw("<rect class=\"frame\" x=\"" + px(kLeft) + "\" y=\"" + px(kTop) + "\" width=\"" +
          px(kWidth - kLeft - 10) + "\" height=\"" + px(bottom - kTop) + "\"/>");
  svg.text(kLeft, bottom + 18,
           map.value_title + ": faintest 0, strongest " + format_number(highest, 4), "tick",
           "start");
  return svg.finish(bottom + 28, title);
}

std::string draw(const RadarPlot& plot, const std::string& title) {
  Svg svg;
  constexpr double kX = kWidth / 2, kY = 150, kRadius = 105;
  const std::size_t axes = std::max<std::size_t>(plot.axes.size(), 1);
  const auto at = [&](std::size_t axis, double value) {
    const double angle =
        2 * std::numbers::pi * static_cast<double>(axis) / static_cast<double>(axes) -
        std::numbers::pi / 2;
    return std::pair(kX + kRadius * value * std::cos(angle),
                     kY + kRadius * value * std::sin(angle));
  };
  for (const double ring : {0.25, 0.5, 0.75, 1.0}) {
    std::string path;
    for (std::size_t axis = 0; axis < axes; ++axis) {
      const auto [x, y] = at(axis, ring);
      path += (path.empty() ? "M" : "L") + px(x) + " " + px(y);
    }
    svg.raw("<path class=\"grid ring\" d=\"" + path + "Z\"/>");
  }
  for (std::size_t axis = 0; axis < plot.axes.size(); ++axis) {
    const auto [x, y] = at(axis, 1);
    svg.line(kX, kY, x, y, "grid");
    const auto [label_x, label_y] = at(axis, 1.1);
    svg.text(label_x, label_y + 4, plot.axes[axis], "label",
             label_x > kX + 5   ? "start"
             : label_x < kX - 5 ? "end"
                                : "middle");
  }
  double legend = 300;
  for (std::size_t s = 0; s < plot.series.size(); ++s) {
    const std::string css = "s" + std::to_string(s % 8);
    std::string path;
    for (std::size_t axis = 0; axis < plot.series[s].values.size(); ++axis) {
      const auto [x, y] = at(axis, std::clamp(plot.series[s].values[axis], 0.0, 1.0));
      path += (path.empty() ? "M" : "L") + px(x) + " " + px(y);
    }
    svg.raw("<path class=\"radar " + css + "\" d=\"" + path + "Z\"/>");
    svg.raw("<circle class=\"dot " + css + "\" cx=\"24\" cy=\"" + px(legend - 4) + "\" r=\"5\"/>");
    svg.text(36, legend, shorten(plot.series[s].label, 60), "label", "start");
    legend += 20;
  }
  return svg.finish(legend, title);
}

}  // namespace

std::string escape_markup(const std::string& text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t')
          out += "\xef\xbf\xbd";
        else
          out += c;
    }
  return out;
}

const char* tone_class(Tone tone, const char* neutral) {
  switch (tone) {
    case Tone::kGood:
      return "good";
    case Tone::kBad:
      return "bad";
    case Tone::kUncertain:
      return "uncertain";
    case Tone::kNeutral:
      break;
  }
  return neutral;
}

std::string render_svg(const Plot& plot, const std::string& title) {
  return std::visit([&](const auto& p) { return draw(p, title); }, plot);
}

}  // namespace moebench
