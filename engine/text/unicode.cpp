#include "engine/text/unicode.h"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>

#include <algorithm>
#include <vector>

#include "engine/base/error.h"

namespace moebench::text {

CodePoint read_code_point(std::string_view text, std::size_t offset) noexcept {
  if (offset >= text.size()) return {};
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[offset + i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  int size = 0;
  std::uint8_t low = 0x80, high = 0xBF;  // what the second byte may be (no overlong, no surrogate)
  char32_t value = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2, value = lead & 0x1Fu;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3, value = lead & 0x0Fu;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4, value = lead & 0x07u;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {0xFFFD, 1, false};
  }
  for (int i = 1; i < size; ++i) {
    if (offset + static_cast<std::size_t>(i) >= text.size()) return {0xFFFD, i, false};
    const std::uint8_t next = byte(static_cast<std::size_t>(i));
    if (next < low || next > high) return {0xFFFD, i, false};
    low = 0x80, high = 0xBF;
    value = (value << 6) | (next & 0x3Fu);
  }
  return {value, size, true};
}

std::size_t incomplete_utf8_suffix_bytes(std::string_view text) noexcept {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const std::size_t start = text.size() - back;
    const auto lead = static_cast<std::uint8_t>(text[start]);
    if (lead < 0x80) return 0;
    if (lead < 0xC0) continue;
    const CodePoint code_point = read_code_point(text, start);
    if (code_point.valid || static_cast<std::size_t>(code_point.size_bytes) != back) return 0;
    const std::size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    return lead <= 0xF4 && lead >= 0xC2 && wanted > back ? back : 0;
  }
  return 0;
}

bool is_valid_utf8(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size();) {
    if (static_cast<std::uint8_t>(text[i]) < 0x80) {
      ++i;
      continue;
    }
    const CodePoint code_point = read_code_point(text, i);
    if (!code_point.valid) return false;
    i += static_cast<std::size_t>(code_point.size_bytes);
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint code_point = read_code_point(text, i);
    const auto size = static_cast<std::size_t>(code_point.size_bytes);
    if (code_point.valid) {
      out.append(text.substr(i, size));
    } else {
      out.append("\xEF\xBF\xBD");
    }
    i += size;
  }
  return out;
}

void append_utf8(std::string& out, char32_t c) {
  const auto push = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    push(c);
  } else if (c < 0x800) {
    push(0xC0 | (c >> 6)), push(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    push(0xE0 | (c >> 12)), push(0x80 | ((c >> 6) & 0x3F)), push(0x80 | (c & 0x3F));
  } else {
    push(0xF0 | (c >> 18)), push(0x80 | ((c >> 12) & 0x3F)), push(0x80 | ((c >> 6) & 0x3F)),
        push(0x80 | (c & 0x3F));
  }
}

bool is_white_space(char32_t code_point) noexcept {
  return u_isUWhiteSpace(static_cast<UChar32>(code_point)) != 0;
}

bool is_word_character(char32_t code_point) noexcept {
  const auto c = static_cast<UChar32>(code_point);
  return u_hasBinaryProperty(c, UCHAR_ALPHABETIC) != 0 ||
         (U_GET_GC_MASK(c) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0;
}

std::string normalize(std::string_view text, NormalizationForm form) {
  if (std::all_of(text.begin(), text.end(),
                  [](char c) { return static_cast<signed char>(c) >= 0; }))
    return std::string(text);  // ASCII is normal in all four forms
  UErrorCode status = U_ZERO_ERROR;
  const bool compatible = form == NormalizationForm::kNfkc || form == NormalizationForm::kNfkd;
  const bool compose = form == NormalizationForm::kNfc || form == NormalizationForm::kNfkc;
  const UNormalizer2* normalizer = unorm2_getInstance(
      nullptr, compatible ? "nfkc" : "nfc", compose ? UNORM2_COMPOSE : UNORM2_DECOMPOSE, &status);
  std::vector<UChar> in;
  in.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint c = read_code_point(text, i);
    i += static_cast<std::size_t>(c.size_bytes);
    if (c.value >= 0x10000) {
      in.push_back(U16_LEAD(c.value));
      in.push_back(U16_TRAIL(c.value));
    } else {
      in.push_back(static_cast<UChar>(c.value));
    }
  }
  const auto in_size = static_cast<std::int32_t>(in.size());
  std::vector<UChar> out(in.size() + in.size() / 4 + 16);
  std::int32_t out_size = 0;
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (U_SUCCESS(status))
      out_size = unorm2_normalize(normalizer, in.data(), in_size, out.data(),
                                  static_cast<std::int32_t>(out.size()), &status);
    if (status != U_BUFFER_OVERFLOW_ERROR) break;
    status = U_ZERO_ERROR;
    out.resize(static_cast<std::size_t>(out_size));
  }
  if (U_FAILURE(status))
    throw Error(ErrorCode::kInternal,
                std::string("Unicode normalisation failed: ") + u_errorName(status));
  std::string result;
  result.reserve(text.size());
  for (std::int32_t i = 0; i < out_size;) {
    UChar32 c = 0;
    U16_NEXT(out.data(), i, out_size, c);
    append_utf8(result, static_cast<char32_t>(c));
  }
  return result;
}

namespace {

struct ByteAlphabet {
  std::array<char32_t, 256> to_char{};
  std::array<std::int16_t, 512> to_byte{};
  ByteAlphabet() {
    to_byte.fill(-1);
    char32_t next = 256;
    for (unsigned b = 0; b < 256; ++b) {
      const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      to_char[b] = printable ? b : next++;
      to_byte[to_char[b]] = static_cast<std::int16_t>(b);
    }
  }
};

const ByteAlphabet& byte_alphabet() {
  static const ByteAlphabet alphabet;
  return alphabet;
}

}  // namespace

char32_t byte_to_alphabet(std::uint8_t byte) noexcept { return byte_alphabet().to_char[byte]; }

std::optional<std::uint8_t> alphabet_to_byte(char32_t code_point) noexcept {
  const ByteAlphabet& alphabet = byte_alphabet();
  if (code_point >= alphabet.to_byte.size() || alphabet.to_byte[code_point] < 0)
    return std::nullopt;
  return static_cast<std::uint8_t>(alphabet.to_byte[code_point]);
}

std::optional<std::string> alphabet_to_bytes(std::string_view entry) {
  std::string bytes;
  bytes.reserve(entry.size());
  for (std::size_t i = 0; i < entry.size();) {
    const CodePoint c = read_code_point(entry, i);
    const auto byte = c.valid ? alphabet_to_byte(c.value) : std::nullopt;
    if (!byte) return std::nullopt;
    bytes.push_back(static_cast<char>(*byte));
    i += static_cast<std::size_t>(c.size_bytes);
  }
  return bytes;
}

}  // namespace moebench::text
