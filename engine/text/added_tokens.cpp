#include "engine/text/added_tokens.h"

#include <algorithm>

#include "engine/text/unicode.h"

namespace moebench::text {

namespace {

bool starts_with_word(std::string_view text) {
  const CodePoint c = read_code_point(text, 0);
  return c.valid && is_word_character(c.value);
}

std::size_t last_code_point_begin(std::string_view text) {
  std::size_t begin = text.size() - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  return begin;
}

bool ends_with_word(std::string_view text) {
  return !text.empty() && starts_with_word(text.substr(last_code_point_begin(text)));
}

std::size_t trailing_space_begin(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    const std::size_t begin = last_code_point_begin(text.substr(0, end));
    if (!is_white_space(read_code_point(text, begin).value)) break;
    end = begin;
  }
  return end;
}

std::size_t leading_space_bytes(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const CodePoint c = read_code_point(text, at);
    if (!is_white_space(c.value)) break;
    at += static_cast<std::size_t>(c.size_bytes);
  }
  return at;
}

}  // namespace

void AddedTokenMatcher::add(const AddedToken& token, std::string_view content) {
  if (content.empty()) return;
  if (token_at_.empty()) token_at_.push_back(-1);
  std::uint32_t node = 0;
  for (const char c : content) {
    const auto byte = static_cast<unsigned char>(c);
    const auto [child, inserted] = children_.try_emplace(
        std::uint64_t{node} << 8 | byte, static_cast<std::uint32_t>(token_at_.size()));
    if (inserted) token_at_.push_back(-1);
    node = child->second;
  }
  first_[static_cast<unsigned char>(content.front())] = true;
  token_at_[node] = static_cast<std::int32_t>(tokens_.size());
  tokens_.push_back(token);
}

void AddedTokenMatcher::split(std::string_view text, bool skip_special,
                              std::vector<Segment>& segments) const {
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (!first_[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    std::uint32_t node = 0;
    std::int32_t found = -1;
    std::size_t found_end = at;
    for (std::size_t i = at; i < text.size(); ++i) {
      const auto child =
          children_.find(std::uint64_t{node} << 8 | static_cast<unsigned char>(text[i]));
      if (child == children_.end()) break;
      node = child->second;
      if (token_at_[node] >= 0) {
        found = token_at_[node];
        found_end = i + 1;
      }
    }
    if (found < 0) {
      ++at;
      continue;
    }
    std::size_t begin = at, end = found_end;
    at = found_end;
    const AddedToken& token = tokens_[static_cast<std::size_t>(found)];
    if (skip_special && token.special) continue;
    if (token.single_word &&
        (ends_with_word(text.substr(0, begin)) || starts_with_word(text.substr(end))))
      continue;
    if (token.lstrip) begin = std::max(trailing_space_begin(text.substr(0, begin)), done);
    if (token.rstrip) end += leading_space_bytes(text.substr(end));
    begin = std::max(begin, done);  // a token inside what the one before swallowed
    if (done < begin) segments.push_back({{done, begin}, -1});
    segments.push_back({{begin, end}, token.id});
    done = end;
  }
  if (done < text.size()) segments.push_back({{done, text.size()}, -1});
}

}  // namespace moebench::text
