#include "engine/text/jinja/strings.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <ctime>

#include "engine/text/jinja/value.h"
#include "engine/text/unicode.h"

namespace moebench::jinja {

namespace {

using text::CodePoint;
using text::read_code_point;

/// Python's str.isspace() is White_Space and the four separators 1C to 1F.
bool is_space(char32_t c) { return text::is_white_space(c) || (c >= 0x1C && c <= 0x1F); }

std::size_t last_begin(std::string_view text) {
  std::size_t begin = text.size() - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  return begin;
}

template <class F>
std::string map_code_points(std::string_view source, F f) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size();) {
    const CodePoint c = read_code_point(source, i);
    text::append_utf8(out, f(c.value));
    i += static_cast<std::size_t>(c.size_bytes);
  }
  return out;
}

char32_t to_upper(char32_t c) { return static_cast<char32_t>(u_toupper(static_cast<UChar32>(c))); }
char32_t to_lower(char32_t c) { return static_cast<char32_t>(u_tolower(static_cast<UChar32>(c))); }
char32_t to_title(char32_t c) { return static_cast<char32_t>(u_totitle(static_cast<UChar32>(c))); }
bool is_cased(char32_t c) { return u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_CASED) != 0; }

}  // namespace

std::string_view strip(std::string_view text, bool left, bool right,
                       std::optional<std::string_view> characters) {
  const auto drop = [&](std::string_view symbol) {
    if (!characters) return is_space(read_code_point(symbol, 0).value);
    for (std::size_t i = 0; i < characters->size();) {
      const auto size = static_cast<std::size_t>(read_code_point(*characters, i).size_bytes);
      if (characters->substr(i, size) == symbol) return true;
      i += size;
    }
    return false;
  };
  while (left && !text.empty()) {
    const auto size = static_cast<std::size_t>(read_code_point(text, 0).size_bytes);
    if (!drop(text.substr(0, size))) break;
    text.remove_prefix(size);
  }
  while (right && !text.empty()) {
    const std::size_t begin = last_begin(text);
    if (!drop(text.substr(begin))) break;
    text = text.substr(0, begin);
  }
  return text;
}

std::vector<std::string> split(std::string_view text, std::optional<std::string_view> separator,
                               std::int64_t limit, bool from_right) {
  std::vector<std::string> parts;
  const auto full = [&] { return limit >= 0 && static_cast<std::int64_t>(parts.size()) >= limit; };
  if (separator && separator->empty()) throw TemplateError("split: empty separator");
  if (separator) {
    while (!full()) {
      const std::size_t at = from_right ? text.rfind(*separator) : text.find(*separator);
      if (at == std::string_view::npos) break;
      if (from_right) {
        parts.emplace_back(text.substr(at + separator->size()));
        text = text.substr(0, at);
      } else {
        parts.emplace_back(text.substr(0, at));
        text.remove_prefix(at + separator->size());
      }
    }
    parts.emplace_back(text);
  } else {
    while (true) {
      text = strip(text, !from_right, from_right, std::nullopt);
      if (text.empty()) break;
      if (full()) {
        parts.emplace_back(strip(text, from_right, !from_right, std::nullopt));
        if (!from_right) parts.back() = std::string(text);
        break;
      }
      std::size_t at = from_right ? text.size() : 0;
      if (from_right) {
        while (at > 0 && !is_space(read_code_point(text, last_begin(text.substr(0, at))).value))
          at = last_begin(text.substr(0, at));
        parts.emplace_back(text.substr(at));
        text = text.substr(0, at);
      } else {
        while (at < text.size() && !is_space(read_code_point(text, at).value))
          at += static_cast<std::size_t>(read_code_point(text, at).size_bytes);
        parts.emplace_back(text.substr(0, at));
        text.remove_prefix(at);
      }
    }
  }
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = read_code_point(text, i);
    std::size_t next = i + static_cast<std::size_t>(c.size_bytes);
    const bool end = (c.value >= 0x0A && c.value <= 0x0D) || (c.value >= 0x1C && c.value <= 0x1E) ||
                     c.value == 0x85 || c.value == 0x2028 || c.value == 0x2029;
    if (end) {
      if (c.value == '\r' && next < text.size() && text[next] == '\n') ++next;
      lines.emplace_back(text.substr(begin, (keep_ends ? next : i) - begin));
      begin = next;
    }
    i = next;
  }
  if (begin < text.size()) lines.emplace_back(text.substr(begin));
  return lines;
}

std::string replace(std::string_view text, std::string_view from, std::string_view to,
                    std::int64_t limit) {
  std::string out;
  std::size_t at = 0;
  std::int64_t done = 0;
  if (from.empty()) {  // between all characters, as Python does
    for (std::size_t i = 0; i <= text.size();) {
      if (limit < 0 || done++ < limit) out += to;
      if (i == text.size()) break;
      const auto size = static_cast<std::size_t>(read_code_point(text, i).size_bytes);
      out += text.substr(i, size);
      i += size;
    }
    return out;
  }
  for (std::size_t next;
       (limit < 0 || done < limit) && (next = text.find(from, at)) != std::string_view::npos;
       ++done) {
    out.append(text.substr(at, next - at)).append(to);
    at = next + from.size();
  }
  return out.append(text.substr(at));
}

std::string upper(std::string_view text) { return map_code_points(text, to_upper); }
std::string lower(std::string_view text) { return map_code_points(text, to_lower); }

std::string capitalize(std::string_view text) {
  bool first = true;
  return map_code_points(
      text, [&](char32_t c) { return std::exchange(first, false) ? to_title(c) : to_lower(c); });
}

std::string title(std::string_view text) {
  bool after_letter = false;
  return map_code_points(text, [&](char32_t c) {
    const char32_t mapped = after_letter ? to_lower(c) : to_title(c);
    after_letter = is_cased(c);
    return mapped;
  });
}

bool is_upper(std::string_view text) { return upper(text) == text && lower(text) != text; }
bool is_lower(std::string_view text) { return lower(text) == text && upper(text) != text; }

std::string format_time(std::string_view format, std::int64_t unix_time) {
  if (format.size() > 1000) throw TemplateError("strftime_now: the format is too long");
  if (format.empty()) return {};
  const auto time = static_cast<std::time_t>(unix_time);
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::string buffer(16 * 1024, '\0');
  const std::size_t size =
      std::strftime(buffer.data(), buffer.size(), std::string(format).c_str(), &parts);
  buffer.resize(size);
  return buffer;
}

}  // namespace moebench::jinja
