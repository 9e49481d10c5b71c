#include "engine/text/unicode.h"

#include <gtest/gtest.h>

#include "engine/base/error.h"
#include "engine/text/bpe.h"
#include "engine/text/pattern.h"

namespace moebench::text {
namespace {

TEST(Unicode, ReplacesEachMaximalBrokenPartOnce) {
  // The example of the Unicode standard, table 3-8.
  EXPECT_EQ(replace_invalid_utf8("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64"),
            "a\uFFFD\uFFFD\uFFFDb\uFFFDc\uFFFD\uFFFDd");
  EXPECT_EQ(replace_invalid_utf8("\xC0\xAF\xED\xA0\x80\xF4\x90\x80\x80"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_TRUE(is_valid_utf8("\xF4\x8F\xBF\xBF\xEE\x80\x80"));
  EXPECT_FALSE(is_valid_utf8("\xE2\x82"));
}

TEST(Unicode, TellsWhichEndCanStillBecomeACharacter) {
  EXPECT_EQ(incomplete_utf8_suffix_bytes("a\xF0\x9F\x98"), 3u);
  EXPECT_EQ(incomplete_utf8_suffix_bytes("a\xC3"), 1u);
  EXPECT_EQ(incomplete_utf8_suffix_bytes("\xE2\x82\xAC"), 0u);
  EXPECT_EQ(incomplete_utf8_suffix_bytes("a\xC0"), 0u) << "C0 begins no character";
  EXPECT_EQ(incomplete_utf8_suffix_bytes("\xED\xA0"), 0u) << "a surrogate can't be completed";
  EXPECT_EQ(incomplete_utf8_suffix_bytes("\x80\x80"), 0u);
  EXPECT_EQ(incomplete_utf8_suffix_bytes(""), 0u);
}

TEST(Unicode, NormalisesToTheFourForms) {
  EXPECT_EQ(normalize("e\u0301 \uFB01", NormalizationForm::kNfc), "\u00E9 \uFB01");
  EXPECT_EQ(normalize("\u00E9", NormalizationForm::kNfd), "e\u0301");
  EXPECT_EQ(normalize("\uFB01\u212B", NormalizationForm::kNfkc), "fi\u00C5");
  EXPECT_EQ(normalize("\uFF21\u00E9", NormalizationForm::kNfkd), "Ae\u0301");
}

TEST(Unicode, ByteAlphabetIsABijection) {
  for (int b = 0; b < 256; ++b)
    EXPECT_EQ(alphabet_to_byte(byte_to_alphabet(static_cast<std::uint8_t>(b))), b);
  EXPECT_EQ(alphabet_to_bytes("\u0120the"), " the");
  EXPECT_EQ(alphabet_to_bytes("a b"), std::nullopt) << "a plain space is not of the alphabet";
}

std::vector<std::string> matches(const Pattern& pattern, const std::string& text) {
  std::vector<Span> spans;
  pattern.find_all(text, 0, spans);
  std::vector<std::string> out;
  for (const Span& span : spans) out.push_back(text.substr(span.begin, span.end - span.begin));
  return out;
}

TEST(Pattern, ReadsOnigurumasWhiteSpaceNotPcres) {
  EXPECT_EQ(matches(Pattern("\\s+"), "a \u00A0\u2003b\u180Ec"),
            (std::vector<std::string>{" \u00A0\u2003"}));
}

TEST(Pattern, FoldsCaseAndKnowsScripts) {
  EXPECT_EQ(matches(Pattern("(?i:'s|'ll)"), "it'S we'Ll '\u017F"),
            (std::vector<std::string>{"'S", "'Ll", "'\u017F"}));
  EXPECT_EQ(matches(Pattern("\\p{Han}+"), "\u6F22\u5B57\u3042\u3001"),
            (std::vector<std::string>{"\u6F22\u5B57"}))
      << "the Script property, not its extensions";
}

TEST(Pattern, RefusesWhatItCannotTranslate) {
  for (const char* source :
       {"[\\p{L}&&[^\\p{Han}]]", "\\h", "a{1,3}+", "[a[b]]", "(", "\\", "(?m)x"})
    EXPECT_THROW(Pattern pattern(source), Error) << source;
}

TEST(Pattern, GivesUpOnARunawayMatch) {
  const Pattern hostile("(a+)+$");
  std::vector<Span> spans;
  EXPECT_THROW(hostile.find_all(std::string(64, 'a') + "b", 0, spans), Error);
}

TEST(Bpe, LongWordsMergeAsShortOnesDo) {
  // Symbols 0 and 1, with merges that compete: (0,0)->2, (2,2)->3, (0,1)->4, (2,0)->5.
  Bpe bpe;
  bpe.set_merges({{0, 0, 2, 1}, {2, 2, 3, 0}, {0, 1, 4, 2}, {2, 0, 5, 3}});
  std::uint32_t random = 12345;
  for (int round = 0; round < 200; ++round) {
    // Symbol 9 merges with nothing: the parts between are the same words, short and long.
    std::vector<std::int32_t> whole, parts;
    for (int word = 0; word < 12; ++word) {
      std::vector<std::int32_t> symbols;
      for (int i = 0; i < 9; ++i) {
        random = random * 1664525u + 1013904223u;
        symbols.push_back(random >> 30 ? 0 : 1);
      }
      whole.insert(whole.end(), symbols.begin(), symbols.end());
      whole.push_back(9);
      bpe.merge(symbols);
      parts.insert(parts.end(), symbols.begin(), symbols.end());
      parts.push_back(9);
    }
    bpe.merge(whole);
    ASSERT_EQ(whole, parts);
  }
}

}  // namespace
}  // namespace moebench::text
