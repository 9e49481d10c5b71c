#include <gtest/gtest.h>

#include <sstream>

#include "reports/render/cells.h"
#include "reports/render/render.h"

namespace moebench {
namespace {

Document document_of(Table table) {
  Document document;
  document.title = "Title";
  document.sections = {{"s", "Section", {std::move(table)}}};
  return document;
}

Table small_table() {
  Table table;
  table.id = "t";
  table.columns = {text_column("name", "name"), number_column("score_percent", "score", "%")};
  table.rows = {{text_cell("a|b<c>"), percent_cell(0.5, {0.25, 0.75})},
                {text_cell("=cmd\x1b[31m"), unknown_cell()}};
  return table;
}

std::size_t widest_line(const std::string& text) {
  std::istringstream lines(text);
  std::size_t widest = 0;
  for (std::string line; std::getline(lines, line);) {
    std::size_t columns = 0;
    for (const char c : line) columns += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    widest = std::max(widest, columns);
  }
  return widest;
}

// A text as it was, whatever the line breaks.
std::string without_spaces(const std::string& text) {
  std::string out;
  for (const char c : text)
    if (c != ' ' && c != '\n') out += c;
  return out;
}

TEST(RenderConsole, AlignsNumbersAndDropsControlCharacters) {
  const std::string text = render_console(document_of(small_table()));
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << "a record must not drive the terminal";
  EXPECT_NE(text.find("50.0 [25.0, 75.0]"), std::string::npos) << text;
}

TEST(RenderConsole, WrapsTextSoThatNothingIsLost) {
  const std::string sentence =
      "an output token costs 3.10 micro-USD in moe and 8.80 micro-USD in dense-total; ratio 0.352 "
      "[0.340, 0.365], claimed at most 0.5 (over 3 and 3 runs)";
  Table table = small_table();
  table.columns.push_back(text_column("evidence", "evidence"));
  table.rows[0].push_back(text_cell(sentence));
  table.rows[1].push_back(text_cell("short"));
  for (const int width : {60, 80, 100}) {
    const std::string text = render_console(document_of(table), {.color = false, .width = width});
    EXPECT_LE(widest_line(text), static_cast<std::size_t>(width)) << text;
    EXPECT_NE(text.find("50.0 [25.0, 75.0]"), std::string::npos) << "numbers stay whole\n" << text;
    for (std::istringstream words(sentence); words;) {
      std::string word;
      words >> word;
      EXPECT_NE(text.find(word), std::string::npos) << word << " is missing from\n" << text;
    }
  }
}

TEST(RenderConsole, ATableOfTooManyColumnsBecomesABlockARow) {
  Table table;
  table.columns = {text_column("model", "model")};
  table.rows = {{text_cell("a model")}};
  for (int i = 0; i < 20; ++i) {
    table.columns.push_back(number_column("k" + std::to_string(i), "figure", "tokens/s"));
    table.rows[0].push_back(number_cell(1000.0 * i + 1234567));
  }
  const std::string text = render_console(document_of(table), {.color = false, .width = 80});
  EXPECT_LE(widest_line(text), 80u) << text;
  EXPECT_NE(text.find("- model"), std::string::npos) << text;
  EXPECT_NE(text.find("1,253,567"), std::string::npos) << text;
}

TEST(RenderConsole, ANarrowOneLeavesSecondaryColumnsOutAndSaysSo) {
  Table table = small_table();
  for (int i = 0; i < 4; ++i) {
    table.columns.push_back(secondary(number_column("k", "extra" + std::to_string(i))));
    for (auto& row : table.rows) row.push_back(number_cell(123456.0 * (i + 1)));
  }
  const std::string wide = render_console(document_of(table), {.color = false, .width = 100});
  EXPECT_NE(wide.find("493,824"), std::string::npos) << wide;
  EXPECT_EQ(wide.find("want of width"), std::string::npos) << wide;
  const std::string narrow = render_console(document_of(table), {.color = false, .width = 60});
  EXPECT_EQ(narrow.find("493,824"), std::string::npos) << narrow;
  EXPECT_NE(narrow.find("want of width: extra0; extra1"), std::string::npos) << narrow;
  EXPECT_NE(narrow.find("50.0 [25.0, 75.0]"), std::string::npos) << narrow;
}

TEST(RenderConsole, WrapsParagraphsNotesSettingsAndWordsLongerThanALine) {
  Document document = document_of(small_table());
  const std::string hash(200, 'f');
  document.subtitle = hash;
  document.headlines = {{"gsm8k", "61.0 %", std::string(30, 'x') + " " + std::string(90, 'y'), {}}};
  document.sections[0].blocks.push_back(Paragraph{"one two " + hash, Tone::kBad});
  document.sections[0].blocks.push_back(KeyValues{"k", "K", {{"sha256", hash}}});
  std::get<Table>(document.sections[0].blocks[0]).note = hash + " " + hash;
  const std::string text = render_console(document, {.color = false, .width = 60});
  EXPECT_LE(widest_line(text), 60u) << text;
  EXPECT_NE(without_spaces(text).find(hash + hash), std::string::npos);
}

TEST(RenderConsole, AmountsBelowACentAreInMicroUsdAndTheJsonKeepsUsd) {
  Table table;
  table.columns = {text_column("run", "run"),
                   number_column("usd_per_question", "a question", "USD")};
  table.rows = {{text_cell("a"), interval_cell(3.1e-6, {2.9e-6, 3.3e-6})},
                {text_cell("b"), number_cell(4.2e-5)}};
  const std::string text = render_console(document_of(table));
  EXPECT_NE(text.find("micro-USD"), std::string::npos) << text;
  EXPECT_NE(text.find("3.10 [2.90, 3.30]"), std::string::npos) << text;
  EXPECT_NE(text.find("42.0"), std::string::npos) << text;
  const std::string json = render_json(document_of(table));
  EXPECT_NE(json.find("\"unit\": \"USD\""), std::string::npos) << json;
  EXPECT_NE(json.find("3.1e-06"), std::string::npos) << json;
  table.rows[1][1] = number_cell(0.5);
  EXPECT_EQ(render_console(document_of(table)).find("micro"), std::string::npos)
      << "one unit a column: half a dollar is no 500,000 micro-USD";
  EXPECT_EQ(usd_text(3.1e-6), "3.10 micro-USD");
  EXPECT_EQ(usd_text(0.3), "0.300 USD");
  EXPECT_EQ(usd_text(0), "0 USD");
}

}  // namespace
}  // namespace moebench
