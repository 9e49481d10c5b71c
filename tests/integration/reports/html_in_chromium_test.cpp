// Opens reports in headless Chromium: no console error, no request, sorting and filtering work,
// five thousand samples open at once. MOEBENCH_SCREENSHOTS=DIR keeps screenshots of the pages at
// 1280 and 390 pixels in DIR, to be looked at. Skipped, with a reason, where Chromium is missing.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "reports/claims/claims.h"
#include "reports/compare/comparison.h"
#include "reports/cost/cost_report.h"
#include "reports/render/render.h"
#include "reports/run_report/run_report.h"
#include "tests/unit/reports/made_run.h"

namespace moebench {
namespace {

namespace fs = std::filesystem;

std::string find_chromium() {
  for (const char* path :
       {"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"})
    if (fs::exists(path)) return path;
  return {};
}

std::string output_of(const std::string& command) {
  std::string text;
  std::FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) return text;
  char buffer[65536];
  while (const std::size_t got = fread(buffer, 1, sizeof buffer, pipe)) text.append(buffer, got);
  pclose(pipe);
  return text;
}

// Runs before anything else of the page and collects what goes wrong.
constexpr const char* kWatch = R"js(<script>
window.problems = [];
addEventListener("error", (e) => problems.push("error: " + e.message), true);
addEventListener("unhandledrejection", (e) => problems.push("rejection: " + e.reason));
addEventListener("securitypolicyviolation", (e) => problems.push("blocked: " + e.blockedURI));
for (const kind of ["error", "warn"]) console[kind] = (...a) => problems.push(kind + ": " + a.join(" "));
</script>)js";

// Uses the page as a reader would, after it has loaded, and writes what it saw into the document.
constexpr const char* kUse = R"js(<script>
addEventListener("load", () => setTimeout(() => {
  const seen = { problems, requests: performance.getEntriesByType("resource").map((r) => r.name) };
  const t = performance.getEntriesByType("navigation")[0];
  seen.load_ms = t.loadEventEnd;
  seen.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  seen.svgs = document.querySelectorAll("svg").length;
  seen.tables = document.querySelectorAll("table").length;
  seen.figures_without_table = [...document.querySelectorAll("figure")].filter((f) => !f.querySelector("table")).length;
  const column = (table, at) => [...table.tBodies[0].rows].map((r) => r.cells[at].dataset.value).filter((v) => v !== undefined).map(Number);
  const sorted = (v) => v.every((x, i) => i === 0 || v[i - 1] <= x);
  seen.sorts = [...document.querySelectorAll("table")].every((table) => {
    const at = [...table.tHead.rows[0].cells].findIndex((c) => c.classList.contains("number"));
    if (at < 0) return true;
    const button = table.tHead.rows[0].cells[at].querySelector("button");
    button.click();
    const down = column(table, at).reverse();
    button.click();
    return sorted(down) && sorted(column(table, at)) && table.tHead.rows[0].cells[at].getAttribute("aria-sort") === "ascending";
  });
  const box = document.querySelector(".samples");
  if (box) {
    const choose = (name, value) => {
      const select = box.querySelector("select[name='" + name + "']");
      select.value = value;
      select.dispatchEvent(new Event("input", { bubbles: true }));
    };
    const count = () => Number(box.querySelector(".found").textContent.split(" ")[0].replace(/,/g, ""));
    seen.all = count();
    choose("verdict", "wrong");
    seen.wrong = count();
    seen.only_wrong = [...box.querySelectorAll(".entry")].every((e) => [...e.querySelectorAll("summary .badge")].some((b) => b.textContent === "wrong"));
    choose("subject", "Geometry");
    seen.wrong_geometry = count();
    choose("subject", ""); choose("verdict", "");
    if (box.querySelector("select[name='answers']")) { choose("answers", "disagree"); seen.disagree = count(); choose("answers", ""); }
    const search = box.querySelector("input[type=search]");
    search.value = "no such text anywhere"; search.dispatchEvent(new Event("input", { bubbles: true }));
    seen.none = count();
    search.value = ""; search.dispatchEvent(new Event("input", { bubbles: true }));
    const first = box.querySelector("details.entry");
    first.open = true;
    seen.focusable = first.querySelector("summary").tabIndex >= 0;
  }
  setTimeout(() => {
    if (box) seen.opened = box.querySelector("details.entry pre") !== null;
    const result = document.createElement("pre");
    result.id = "seen";
    result.textContent = "SEEN" + JSON.stringify(seen) + "NEES";
    document.body.append(result);
  }, 50);
}));
</script>)js";

class HtmlInChromium : public testing::Test {
 protected:
  void SetUp() override {
    chromium_ = find_chromium();
    if (chromium_.empty()) GTEST_SKIP() << "Chromium is not installed (apt-get install chromium)";
    folder_ = fs::temp_directory_path() / ("moebench_html_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  std::string start(const fs::path& page, const std::string& what) const {
    return "timeout 120 " + chromium_ +
           " --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run "
           "--disable-background-networking --hide-scrollbars --user-data-dir=" +
           (folder_ / "profile").string() + " " + what + " file://" + page.string() +
           " 2>/dev/null";
  }

  nlohmann::json open(const std::string& html, const std::string& name) const {
    std::string page = html;
    page.insert(page.find("<meta name=\"viewport\""), kWatch);
    page.insert(page.rfind("</body>"), kUse);
    const fs::path file = folder_ / (name + ".html");
    std::ofstream(file) << page;
    const std::string dom =
        output_of(start(file, "--window-size=1280,900 --virtual-time-budget=20000 --dump-dom"));
    const std::size_t begin = dom.rfind("SEEN{"), end = dom.rfind("}NEES");
    if (begin == std::string::npos || end == std::string::npos) return {};
    std::string json = dom.substr(begin + 4, end + 1 - begin - 4);
    for (const auto& [entity, character] : {std::pair("&quot;", "\""), std::pair("&lt;", "<"),
                                            std::pair("&gt;", ">"), std::pair("&amp;", "&")})
      for (std::size_t at = 0; (at = json.find(entity, at)) != std::string::npos; ++at)
        json.replace(at, std::string(entity).size(), character);
    return nlohmann::json::parse(json);
  }

  void keep_screenshots(const std::string& html, const std::string& name) const {
    const char* keep = std::getenv("MOEBENCH_SCREENSHOTS");
    if (!keep) return;
    fs::create_directories(keep);
    const fs::path file = folder_ / (name + ".html");
    std::ofstream(file) << html;
    for (const int width : {1280, 390})
      output_of(start(
          file, "--window-size=" + std::to_string(width) + ",4200 --screenshot=" +
                    (fs::path(keep) / (name + "-" + std::to_string(width) + ".png")).string()));
  }

  void expect_sound(const nlohmann::json& seen) const {
    ASSERT_TRUE(seen.is_object()) << "the page did not finish its script";
    EXPECT_TRUE(seen["problems"].empty()) << seen["problems"];
    EXPECT_TRUE(seen["requests"].empty()) << seen["requests"];
    EXPECT_TRUE(seen["sorts"].get<bool>());
    EXPECT_EQ(seen["figures_without_table"], 0);
    EXPECT_LE(seen["wide"].get<int>(), 0) << "the page itself must not scroll sideways";
  }

  std::string chromium_;
  fs::path folder_;
};

TEST_F(HtmlInChromium, ARunsReportSortsFiltersAndLoadsNothing) {
  const LoadedRun run = make_run({.label = "canary (q8_0)"});
  const std::string html = render_html(build_run_report(run));
  const auto seen = open(html, "run");
  expect_sound(seen);
  EXPECT_GE(seen["svgs"], 3);
  EXPECT_EQ(seen["all"], 400);
  std::int64_t wrong = 0, wrong_geometry = 0;
  for (const SampleRecord& s : run.samples) {
    wrong += s.verdict == verdicts::kWrong;
    wrong_geometry += s.verdict == verdicts::kWrong && s.subject == "Geometry";
  }
  EXPECT_EQ(seen["wrong"], wrong);
  EXPECT_TRUE(seen["only_wrong"].get<bool>());
  EXPECT_EQ(seen["wrong_geometry"], wrong_geometry);
  EXPECT_EQ(seen["none"], 0);
  EXPECT_TRUE(seen["focusable"].get<bool>());
  EXPECT_TRUE(seen["opened"].get<bool>());
  keep_screenshots(html, "run");
}

TEST_F(HtmlInChromium, AComparisonShowsDisagreementsAndItsPlots) {
  const std::vector<LoadedRun> runs = {
      make_run({.label = "canary (bf16)"}),
      make_run({.label = "canary (q8_0)", .seed = 5, .ms_per_token = 5}),
      make_run({.label = "canary (q4_0)", .seed = 6, .ability = 0.48, .ms_per_token = 4})};
  const std::string html = render_html(build_comparison(runs));
  const auto seen = open(html, "comparison");
  expect_sound(seen);
  EXPECT_GE(seen["svgs"], 8) << "differences, breakdowns, Pareto, serving, radar, heat maps";
  EXPECT_GT(seen["disagree"], 0);
  EXPECT_LT(seen["disagree"], seen["all"]);
  keep_screenshots(html, "comparison");
}

TEST_F(HtmlInChromium, CostAndClaimsOpenAsWell) {
  CostQuestion question;
  question.runs.push_back(make_run({.label = "canary (q8_0)"}));
  question.project = built_in_catalog().model("deepseek-r1");
  question.gpu = "h800-sxm";
  question.plan.gpus = 144;
  const std::string cost = render_html(build_cost_report(built_in_catalog(), question));
  expect_sound(open(cost, "cost"));
  keep_screenshots(cost, "cost");
  const ClaimFile file = parse_claims(catalog_file("claims/deepseek-r2.json"), "deepseek-r2");
  const std::string claims =
      render_html(build_claims_report(file, test_claims(file, {}, built_in_catalog())));
  expect_sound(open(claims, "claims"));
  keep_screenshots(claims, "claims");
}

TEST_F(HtmlInChromium, FiveThousandSamplesOpenInUnderTwoSeconds) {
  LoadedRun run = make_run({.label = "large", .questions = 2500});
  for (SampleRecord& s : run.samples) s.output.insert(0, std::string(1500, 'x') + "\n");
  const std::string html = render_html(build_run_report(run));
  double best_ms = 1e9;
  // The machine may be busy: the quickest of three counts.
  for (int attempt = 0; attempt < 3 && best_ms >= 2000; ++attempt) {
    const auto seen = open(html, "large");
    expect_sound(seen);
    EXPECT_EQ(seen["all"], 5000);
    best_ms = std::min(best_ms, seen["load_ms"].get<double>());
  }
  std::printf("5,000 samples (%.1f MB): loaded after %.0f ms\n",
              static_cast<double>(html.size()) / 1e6, best_ms);
  EXPECT_LT(best_ms, 2000);
}

}  // namespace
}  // namespace moebench
