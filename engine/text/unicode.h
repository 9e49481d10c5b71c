#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace moebench::text {

/// One code point read from UTF-8. `size_bytes` is 0 at the end of the input.
struct CodePoint {
  char32_t value = 0;
  int size_bytes = 0;
  bool valid = false;  ///< false: `size_bytes` bytes are no code point (a maximal broken part)
};

/// Reads the code point at `offset`. A broken sequence is consumed up to its maximal subpart, as
/// the Unicode standard (section 3.9, table 3-8) recommends and Python and Rust do.
CodePoint read_code_point(std::string_view text, std::size_t offset) noexcept;

/// Bytes at the end of `text` that begin a code point and could still be completed (0 to 3).
std::size_t incomplete_utf8_suffix_bytes(std::string_view text) noexcept;

bool is_valid_utf8(std::string_view text) noexcept;

/// Each maximal broken part becomes one U+FFFD (Python's errors="replace").
std::string replace_invalid_utf8(std::string_view text);

void append_utf8(std::string& out, char32_t code_point);

/// Whitespace as Unicode's White_Space property has it.
bool is_white_space(char32_t code_point) noexcept;
/// Letters, marks, numbers and connectors: what a regex calls \w.
bool is_word_character(char32_t code_point) noexcept;

enum class NormalizationForm { kNfc, kNfd, kNfkc, kNfkd };
/// `text` must be valid UTF-8. Throws Error(kInternal) when ICU fails.
std::string normalize(std::string_view text, NormalizationForm form);

/// The printable alphabet that byte-level BPE vocabularies are written in (GPT-2, encoder.py,
/// bytes_to_unicode): printable Latin-1 bytes stand for themselves, the others for U+0100 upwards.
char32_t byte_to_alphabet(std::uint8_t byte) noexcept;
std::optional<std::uint8_t> alphabet_to_byte(char32_t code_point) noexcept;
/// The bytes that a vocabulary entry stands for; nothing when a character is not of the alphabet.
std::optional<std::string> alphabet_to_bytes(std::string_view entry);

}  // namespace moebench::text
