#include "reports/render/render.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "reports/render/cells.h"
#include "reports/render/svg.h"

namespace moebench {
namespace {

Document small_document() {
  Document document;
  document.title = "A <run> | of *things*";
  Table table;
  table.id = "t";
  table.caption = "Caption";
  table.columns = {text_column("name", "name"), number_column("score_percent", "score", "%")};
  table.rows = {{text_cell("a|b<c>"), percent_cell(0.5, {0.25, 0.75})},
                {text_cell("=cmd\x1b[31m"), unknown_cell()}};
  document.sections = {{"s", "Section", {table}}};
  return document;
}

TEST(FormatNumber, KeepsThreeDigitsAndSeparatesThousands) {
  EXPECT_EQ(format_number(0), "0");
  EXPECT_EQ(format_number(1234567), "1,234,567");
  EXPECT_EQ(format_number(0.012345), "0.0123");
  EXPECT_EQ(format_number(-12.34), "-12.3");
  EXPECT_EQ(format_number(999.96), "1,000");
  EXPECT_EQ(format_number(INFINITY), "infinite");
  EXPECT_EQ(format_fixed(-0.0001, 1), "0.0");
  EXPECT_EQ(format_number(3.2e-9), "3.20e-09");
  EXPECT_EQ(format_bytes(1'500'000), "1.50 MB");
}

TEST(RenderMarkdown, EscapesWhatWouldBreakATable) {
  const std::string text = render_markdown(small_document());
  EXPECT_NE(text.find("a\\|b&lt;c>"), std::string::npos) << text;
  EXPECT_NE(text.find("| ---: |"), std::string::npos);
}

TEST(RenderCsv, OneNumberALineWithItsInterval) {
  const std::string text = render_csv(small_document());
  EXPECT_EQ(text,
            "table,row,column,unit,value,low,high,text,provenance\n"
            "t,a|b<c>,score_percent,%,50,25,75,\"50.0 [25.0, 75.0]\",measured\n");
}

TEST(RenderJson, HoldsTheNumbersUnrounded) {
  Document document = small_document();
  std::get<Table>(document.sections[0].blocks[0]).rows[0][1] = number_cell(1.0 / 3);
  const auto json = nlohmann::json::parse(render_json(document));
  EXPECT_EQ(json["tables"][0]["rows"][0]["score_percent"].get<double>(), 1.0 / 3);
}

TEST(TableRows, HoldEveryNumberUnroundedAndNothingForWhatIsAbsent) {
  Table table;
  table.columns = {text_column("name", "name"), number_column("usd", "usd")};
  table.rows = {{text_cell("a,b"), number_cell(1.0 / 3)}, {text_cell("c"), unknown_cell()}};
  EXPECT_EQ(table_csv(table), "name,usd\n\"a,b\",0.3333333333333333\nc,\n");
  const auto rows = nlohmann::json::parse(table_json(table));
  EXPECT_EQ(rows[0]["usd"].get<double>(), 1.0 / 3);
  EXPECT_TRUE(rows[1]["usd"].is_null()) << "absent is not zero";
  const std::string lines = table_json_lines(table);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
  EXPECT_EQ(nlohmann::json::parse(lines.substr(0, lines.find('\n')))["name"], "a,b");
}

TEST(RenderHtml, SmallAmountsSortByTheirExactValue) {
  Document document = small_document();
  auto& table = std::get<Table>(document.sections[0].blocks[0]);
  table.columns[1] = number_column("usd", "a question", "USD");
  table.rows = {{text_cell("a"), number_cell(3.1e-8)}, {text_cell("b"), number_cell(3.2e-8)}};
  const std::string html = render_html(document);
  EXPECT_NE(html.find("data-value=\"3.1e-08\""), std::string::npos)
      << "rounded to six decimals, both would sort as zero";
  EXPECT_NE(html.find("micro-USD"), std::string::npos);
}

TEST(RenderHtml, EscapesEverythingAndLoadsNothing) {
  Document document = small_document();
  SampleList list{"l", "answers", {}};
  SampleEntry& entry = list.entries.emplace_back();
  entry.question = "</script><script>alert(1)</script>";
  auto& answer = entry.answers.emplace_back();
  answer.verdict = "wrong";
  answer.extracted = "<img src=x>";
  answer.output = "<!--";
  document.sections[0].blocks.push_back(list);
  const std::string html = render_html(document);
  EXPECT_EQ(html.find("<script>alert"), std::string::npos);
  EXPECT_EQ(html.find("<img"), std::string::npos);
  EXPECT_EQ(html.find("a|b<c>"), std::string::npos);
  EXPECT_NE(html.find("a|b&lt;c&gt;"), std::string::npos);
  for (const char* outside : {"http://", "https://", "@import", "url("})
    EXPECT_EQ(html.find(outside), std::string::npos) << outside;
}

TEST(FitScale, AnyInputGivesAUsableScale) {
  for (const auto& values :
       {std::vector<double>{}, {5}, {0, 0}, {-1, 1}, {NAN, INFINITY, 3}, {1e-12, 1e12}})
    for (const bool logarithmic : {false, true}) {
      const Scale scale = fit_scale({"t", "u", logarithmic, {}, {}}, values, 0, 100);
      EXPECT_GT(scale.data_max, scale.data_min);
      EXPECT_LE(scale.ticks().size(), 20u);
      EXPECT_GE(scale(3), 0);
      EXPECT_LE(scale(3), 100);
    }
}

TEST(RenderSvg, EveryPlotOfNothingIsStillAPicture) {
  for (const Plot& plot : {Plot(IntervalPlot{}), Plot(ScatterPlot{}), Plot(StackedBars{}),
                           Plot(HeatMap{}), Plot(RadarPlot{})}) {
    const std::string svg = render_svg(plot, "empty");
    EXPECT_TRUE(svg.starts_with("<svg")) << svg;
    EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
    EXPECT_EQ(svg.find("inf"), std::string::npos) << svg;
  }
}

}  // namespace
}  // namespace moebench
