#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/text/pattern.h"

namespace moebench::text {

/// A token outside of the model proper, found in the text before anything else happens to it.
struct AddedToken {
  std::int32_t id = 0;
  std::string content;
  bool single_word = false;  ///< only where no word character touches it
  bool lstrip = false;       ///< swallows the white space before it
  bool rstrip = false;       ///< and after it
  bool normalized = false;   ///< looked for in the normalised text
  bool special = false;
};

/// A part of a text: a token found (id >= 0), or the text between.
struct Segment {
  Span span;
  std::int32_t id = -1;
};

/// Finds added tokens: leftmost first, the longest among those, by a trie over bytes.
class AddedTokenMatcher {
 public:
  void add(const AddedToken& token, std::string_view content);
  bool empty() const noexcept { return tokens_.empty(); }
  /// `skip_special`: special tokens found are left as text.
  void split(std::string_view text, bool skip_special, std::vector<Segment>& segments) const;

 private:
  std::vector<AddedToken> tokens_;
  std::unordered_map<std::uint64_t, std::uint32_t> children_;  // node << 8 | byte -> node
  std::vector<std::int32_t> token_at_;                         // node -> index in tokens_, or -1
  std::array<bool, 256> first_{};
};

}  // namespace moebench::text
