#pragma once

#include <algorithm>
#include <string_view>

// Search in running text; everything is linear in it.

namespace moebench::text_search {

inline constexpr std::size_t kNone = std::string_view::npos;

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

inline bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() < lower.size()) return false;
  for (std::size_t i = 0; i < lower.size(); ++i) {
    if (to_lower(text[i]) != lower[i]) return false;
  }
  return true;
}

/// The last position of `lower` in the text, in any case; kNone if there is none.
inline std::size_t rfind_ignoring_case(std::string_view text, std::string_view lower,
                                       std::size_t before = kNone) {
  if (text.size() < lower.size()) return kNone;
  std::size_t at = std::min(text.size() - lower.size() + 1, before);
  while (at > 0) {
    --at;
    if (to_lower(text[at]) == lower[0] && equals_ignoring_case(text.substr(at), lower)) return at;
  }
  return kNone;
}

inline std::size_t find_ignoring_case(std::string_view text, std::string_view lower,
                                      std::size_t from = 0) {
  for (std::size_t at = from; at + lower.size() <= text.size(); ++at) {
    if (to_lower(text[at]) == lower[0] && equals_ignoring_case(text.substr(at), lower)) return at;
  }
  return kNone;
}

/// Behind the brace that closes the one at `open`; kNone if it stays open.
inline std::size_t closing_brace(std::string_view text, std::size_t open) {
  int depth = 0;
  for (std::size_t j = open; j < text.size(); ++j) {
    if (text[j] == '\\') {
      ++j;
    } else if (text[j] == '{') {
      ++depth;
    } else if (text[j] == '}' && --depth == 0) {
      return j + 1;
    }
  }
  return kNone;
}

inline std::string_view trim_space(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == kNone) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

}  // namespace moebench::text_search
