#include "engine/formats/printable.h"

namespace moebench {

std::string printable(std::string_view text) {
  constexpr std::size_t kMaxCharacters = 120;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "'";
  for (const char c : text.substr(0, kMaxCharacters)) {
    if (c >= 0x20 && c < 0x7f) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  if (text.size() > kMaxCharacters) out += "...";
  return out + "'";
}

}  // namespace moebench
