#include "reports/render/cells.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace moebench {
namespace {

std::string with_separators(std::string digits) {
  const std::size_t begin = digits.starts_with('-') ? 1 : 0;
  std::size_t end = digits.find('.');
  if (end == std::string::npos) end = digits.size();
  for (std::size_t at = end; at > begin + 3;) digits.insert(at -= 3, ",");
  return digits;
}

}  // namespace

std::string format_fixed(double value, int decimals) {
  if (std::isnan(value)) return kUnknownText;
  if (std::isinf(value)) return value > 0 ? "infinite" : "-infinite";
  char buffer[400];
  std::snprintf(buffer, sizeof buffer, "%.*f", decimals, value);
  std::string text = buffer;
  if (text.starts_with('-') && text.find_first_not_of("-0.") == std::string::npos)
    text.erase(0, 1);  // no minus zero
  return with_separators(text);
}

std::string format_number(double value, int significant) {
  const double size = std::fabs(value);
  if (value == 0) return "0";
  if (!std::isfinite(value)) return format_fixed(value, 0);
  if (size < 1e-6 || size >= 1e12) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%.*e", significant - 1, value);
    return buffer;
  }
  const int decimals = significant - 1 - static_cast<int>(std::floor(std::log10(size)));
  return format_fixed(value, std::max(0, decimals));
}

std::string format_count(std::int64_t value) { return with_separators(std::to_string(value)); }

std::string format_bytes(double bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  int unit = 0;
  while (bytes >= 1000 && unit < 5) bytes /= 1000, ++unit;
  return format_number(bytes) + " " + kUnits[unit];
}

std::string format_percent(double fraction, int decimals) {
  return format_fixed(fraction * 100, decimals);
}

std::string format_usd(double usd) { return format_number(usd, 3); }

std::string usd_text(double usd) {
  const bool small = usd != 0 && std::fabs(usd) < kSmallUsd;
  return format_usd(small ? usd * 1e6 : usd) + (small ? " micro-USD" : " USD");
}

Table with_readable_units(const Table& table) {
  Table shown = table;
  for (std::size_t c = 0; c < shown.columns.size(); ++c) {
    Column& column = shown.columns[c];
    if (column.unit != "USD") continue;
    double largest = 0;
    for (const auto& row : shown.rows)
      if (c < row.size() && row[c].value && std::isfinite(*row[c].value))
        largest = std::max(largest, std::fabs(*row[c].value));
    if (largest == 0 || largest >= kSmallUsd) continue;
    column.unit = "micro-USD";
    for (auto& row : shown.rows) {
      if (c >= row.size() || !row[c].value) continue;
      Cell& cell = row[c];
      cell.text = format_number(*cell.value * 1e6);
      if (cell.interval)
        cell.text += " [" + format_number(cell.interval->low * 1e6) + ", " +
                     format_number(cell.interval->high * 1e6) + "]";
    }
  }
  return shown;
}

Cell text_cell(std::string text, Tone tone) {
  return {.text = std::move(text), .value = {}, .interval = {}, .tone = tone, .provenance = {}};
}

Cell count_cell(std::int64_t value) {
  Cell cell = text_cell(format_count(value));
  cell.value = static_cast<double>(value);
  return cell;
}

Cell number_cell(double value, int significant) {
  Cell cell = text_cell(format_number(value, significant));
  cell.value = value;
  return cell;
}

Cell number_cell(std::optional<double> value, int significant) {
  return value ? number_cell(*value, significant) : unknown_cell();
}

Cell percent_cell(double fraction, int decimals) {
  Cell cell = text_cell(format_percent(fraction, decimals));
  cell.value = fraction * 100;
  return cell;
}

Cell percent_cell(double fraction, const Interval& interval, int decimals) {
  Cell cell = percent_cell(fraction, decimals);
  cell.interval = Interval{interval.low * 100, interval.high * 100};
  cell.text += " [" + format_fixed(cell.interval->low, decimals) + ", " +
               format_fixed(cell.interval->high, decimals) + "]";
  return cell;
}

Cell interval_cell(double value, const Interval& interval, int significant) {
  Cell cell = number_cell(value, significant);
  cell.interval = interval;
  cell.text += " [" + format_number(interval.low, significant) + ", " +
               format_number(interval.high, significant) + "]";
  return cell;
}

Cell unknown_cell() { return text_cell(kUnknownText); }

Column text_column(std::string key, std::string title) {
  return {.key = std::move(key),
          .title = std::move(title),
          .unit = {},
          .numeric = false,
          .secondary = false};
}

Column number_column(std::string key, std::string title, std::string unit) {
  return {.key = std::move(key),
          .title = std::move(title),
          .unit = std::move(unit),
          .numeric = true,
          .secondary = false};
}

Column secondary(Column column) {
  column.secondary = true;
  return column;
}

}  // namespace moebench
