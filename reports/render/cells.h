#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "reports/render/document.h"

namespace moebench {

inline constexpr const char* kUnknownText = "\xe2\x80\x93";  // an en dash

/// `significant` digits, thousands separated by commas, never in exponent form between 1e-6 and
/// 1e12: 0.01234, 12.3, 1,235. "infinite" and the dash for what is no number.
std::string format_number(double value, int significant = 3);
/// Fixed decimals with thousands separators.
std::string format_fixed(double value, int decimals);
std::string format_count(std::int64_t value);                   ///< 12,345
std::string format_bytes(double bytes);                         ///< 1.2 GB (decimal prefixes)
std::string format_percent(double fraction, int decimals = 1);  ///< 93.4 (no sign; the unit says %)
std::string format_usd(double usd);                             ///< three significant digits

/// An amount with its unit: "12.3 USD", and small ones so that they can be read: "3.10 micro-USD".
std::string usd_text(double usd);
inline constexpr double kSmallUsd = 0.01;  ///< below this, an amount in USD is mostly zeros

/// The table as people should see it: a column in USD whose amounts are all below a cent is shown
/// in micro-USD. Values and intervals stay in the column's own unit, for sorting.
Table with_readable_units(const Table& table);

Cell text_cell(std::string text, Tone tone = Tone::kNeutral);
Cell count_cell(std::int64_t value);
Cell number_cell(double value, int significant = 3);
Cell number_cell(std::optional<double> value, int significant = 3);  ///< a dash where absent
/// The value is a fraction; the cell's value and interval are in percent.
Cell percent_cell(double fraction, int decimals = 1);
Cell percent_cell(double fraction, const Interval& interval, int decimals = 1);
/// "1.23 [1.10, 1.41]".
Cell interval_cell(double value, const Interval& interval, int significant = 3);
Cell unknown_cell();

Column text_column(std::string key, std::string title);
Column number_column(std::string key, std::string title, std::string unit = {});
/// The column as one that a narrow console may leave out.
Column secondary(Column column);

}  // namespace moebench
