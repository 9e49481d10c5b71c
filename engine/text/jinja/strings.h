#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moebench::jinja {

// Python's str methods that templates use. Unicode where Python is (white space, case), but with
// the simple case mappings only.

std::string_view strip(std::string_view text, bool left, bool right,
                       std::optional<std::string_view> characters);
/// At white space when there is no separator. `limit` < 0: no limit. `from_right`: rsplit.
std::vector<std::string> split(std::string_view text, std::optional<std::string_view> separator,
                               std::int64_t limit, bool from_right);
std::vector<std::string> split_lines(std::string_view text, bool keep_ends);
/// `limit` < 0: all.
std::string replace(std::string_view text, std::string_view from, std::string_view to,
                    std::int64_t limit);
std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string capitalize(std::string_view text);
/// Python's title(): every letter after a non-letter is upper case, the others lower.
std::string title(std::string_view text);
bool is_upper(std::string_view text);
bool is_lower(std::string_view text);

/// strftime in the C locale, with Python's directives that C has too.
std::string format_time(std::string_view format, std::int64_t unix_time);

}  // namespace moebench::jinja
