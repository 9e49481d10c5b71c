#include "datasets/grading/equivalence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace moebench {
namespace {

struct Row {
  std::string kind, relation, gold, answer;
};

std::vector<Row> labelled_pairs() {
  std::ifstream in(MOEBENCH_SOURCE_DIR "/tests/unit/datasets/grading/labelled_pairs.tsv");
  std::vector<Row> rows;
  std::string line;
  while (std::getline(in, line)) {
    if (line.empty() || line[0] == '#') continue;
    Row row;
    std::string* fields[] = {&row.kind, &row.relation, &row.gold, &row.answer};
    std::size_t begin = 0;
    for (std::string* field : fields) {
      const std::size_t end = std::min(line.find('\t', begin), line.size());
      *field = line.substr(begin, end - begin);
      begin = end + 1;
    }
    rows.push_back(row);
  }
  return rows;
}

TEST(EquivalenceTest, AgreesWithEveryLabelledPair) {
  const std::vector<Row> rows = labelled_pairs();
  ASSERT_GE(rows.size(), 3000u) << "labelled_pairs.tsv is missing or cut";
  std::map<std::string, int> equal, different;
  for (const Row& row : rows) {
    ASSERT_TRUE(row.relation == "=" || row.relation == "!=") << row.kind << " " << row.gold;
    ++(row.relation == "=" ? equal : different)[row.kind];
    const Equivalence result = compare_answers(row.gold, row.answer);
    EXPECT_EQ(result.equal, row.relation == "=")
        << row.kind << ": gold " << row.gold << ", answer " << row.answer << "\n  reason "
        << to_string(result.reason) << " " << result.detail << "\n  gold   "
        << explain_parse(row.gold) << "\n  answer " << explain_parse(row.answer);
  }
  std::size_t all_different = 0;
  for (const auto& [kind, count] : different) all_different += static_cast<std::size_t>(count);
  EXPECT_GE(2 * all_different, rows.size()) << "at least half of the pairs must be false";
  for (const auto& [kind, count] : equal) {
    EXPECT_GT(different[kind], 0) << kind << " has no near-miss that must be told apart";
  }
}

TEST(EquivalenceTest, IsReflexive) {
  for (const Row& row : labelled_pairs()) {
    for (const std::string& text : {row.gold, row.answer}) {
      EXPECT_TRUE(compare_answers(text, text).equal) << text;
      EXPECT_TRUE(compare_answers(text, "$" + text + "$").equal) << text << ", in dollars";
      EXPECT_TRUE(compare_answers(text, " " + text + " ").equal) << text << ", with spaces";
    }
  }
}

/// Rulings that are not symmetric by their nature: the gold's precision, the gold's percent sign,
/// and (kind "one-sided") what may stand in front of an answer: "a + b = 4" answers 4, but a gold
/// "x + y = 4" is a line; b answers (B), but a gold b is a variable.
TEST(EquivalenceTest, IsSymmetricExceptForDecimalsAndPercent) {
  for (const Row& row : labelled_pairs()) {
    if (row.kind == "decimal" || row.kind == "percent" || row.kind == "one-sided") continue;
    // Turned around, a decimal or percent answer would be such a gold.
    if (row.relation == "!=" && row.answer.find_first_of(".%") != std::string::npos) continue;
    EXPECT_EQ(compare_answers(row.answer, row.gold).equal, row.relation == "=")
        << row.kind << ": " << row.answer << " against " << row.gold;
  }
}

/// Cut, doubled, swapped and spliced answers, from a seed: what can be read equals itself (by way
/// of the parser: the space at the end keeps the texts apart), and two of them agree in both
/// directions where no one-sided ruling applies.
TEST(EquivalenceTest, MutantsEqualThemselvesAndAgreeBothWays) {
  std::vector<std::string> seeds;
  for (const Row& row : labelled_pairs()) {
    seeds.push_back(row.gold);
    seeds.push_back(row.answer);
  }
  std::mt19937 random(20260131);
  const auto mutant = [&] {
    std::string text = seeds[random() % seeds.size()];
    const std::size_t edits = 1 + random() % 3;
    for (std::size_t k = 0; k < edits && !text.empty(); ++k) {
      const std::size_t at = random() % text.size();
      const std::size_t length = std::min<std::size_t>(1 + random() % 4, text.size() - at);
      const std::string& other = seeds[random() % seeds.size()];
      switch (random() % 4) {
        case 0:
          text.erase(at, length);
          break;
        case 1:
          text.insert(at, text.substr(at, length));
          break;
        case 2:
          std::swap(text[at], text[random() % text.size()]);
          break;
        default:
          text = text.substr(0, at) + (other.empty() ? "" : other.substr(random() % other.size()));
      }
    }
    return text;
  };
  int read = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string a = mutant(), b = mutant();
    const bool readable = !explain_parse(a).starts_with("not mathematics") &&
                          !explain_parse(a).starts_with("over budget");
    const bool markdown = a.starts_with('*') || a.starts_with('_');  // must close at the end
    if (readable && !markdown && !a.ends_with('\\')) {
      ++read;
      const Equivalence self = compare_answers(a, a + "\\,");
      EXPECT_TRUE(self.equal || self.reason == GradeReason::kBudget)
          << a << "\n  " << explain_parse(a) << "\n  " << to_string(self.reason);
    }
    const std::string both = a + b;
    if (both.find_first_of(".%=<>") != std::string::npos || both.find("\\le") != both.npos ||
        both.find("\\ge") != both.npos || both.find("percent") != both.npos ||
        both.find("approx") != both.npos || both.find("\\equiv") != both.npos)
      continue;
    EXPECT_EQ(compare_answers(a, b).equal, compare_answers(b, a).equal) << a << "\n" << b;
  }
  EXPECT_GT(read, 5000) << "the mutants must not all be unreadable";
}

TEST(EquivalenceTest, PercentMayBeLeftOutWhereTheQuestionAsksForIt) {
  EquivalenceOptions asked;
  asked.percent_expected = true;
  EXPECT_FALSE(compare_answers("12", "12\\%").equal);
  EXPECT_TRUE(compare_answers("12", "12\\%", asked).equal);
  EXPECT_FALSE(compare_answers("12", "0.12", asked).equal);
}

TEST(EquivalenceTest, SimplestFormIsAskedForOnDemand) {
  EquivalenceOptions simplest;
  simplest.require_simplest_form = true;
  EXPECT_TRUE(compare_answers("\\frac{1}{2}", "\\frac{2}{4}").equal);
  const Equivalence result = compare_answers("\\frac{1}{2}", "\\frac{2}{4}", simplest);
  EXPECT_FALSE(result.equal);
  EXPECT_EQ(result.reason, GradeReason::kNotSimplified);
  EXPECT_TRUE(compare_answers("\\frac{1}{2}", "\\frac{1}{2}", simplest).equal);
}

std::string repeat(const std::string& piece, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += piece;
  return text;
}

TEST(EquivalenceTest, HostileAnswersStayWithinTheBudget) {
  const std::string hostile[] = {"10^{10^{10}}",
                                 "10^10^10^10",
                                 "9^{9^{9^{9^9}}}",
                                 "2^{-10^{10^{10}}}",
                                 "(10^{10^{10}})!",
                                 "100000000!",
                                 "9999!!!",
                                 repeat("{", 40000),
                                 repeat("(", 40000),
                                 repeat("(", 8000),
                                 repeat("\\frac{1}{", 1500),
                                 repeat("\\sqrt{", 2000) + "2" + repeat("}", 2000),
                                 repeat("9", 1000000),
                                 repeat("9", 16000),
                                 repeat("-", 15000) + "1",
                                 "1" + repeat("+1", 7000),
                                 "x" + repeat("*x", 1900),
                                 repeat("1,", 8000),
                                 "\\{" + repeat("1,2,", 400) + "3\\}",
                                 repeat("\\pm", 3000) + "1",
                                 repeat("\\sin ", 3000) + "x",
                                 "\\sin(" + repeat("\\sin(", 200) + "x" + repeat(")", 201),
                                 repeat("x^", 5000) + "2",
                                 repeat("2^", 500) + "2",
                                 "x_{" + repeat("_{", 5000),
                                 repeat("\\begin{pmatrix}", 1000),
                                 repeat("|", 15001),
                                 "\\binom{100000}{50000}",
                                 "\\binom{8000}{4000}^{8000}",
                                 "e^{e^{e^{e^{e^{10}}}}}",
                                 "\\sqrt[1000000000]{2}",
                                 "2^{0.123456789123456789}",
                                 "10^{-1000000000000}",
                                 "\\cos(10^{10^{9}})",
                                 "0." + repeat("1", 4000) + "\\overline{3}",
                                 repeat("\\begin{pmatrix} 1 & 2 \\\\ ", 50),
                                 repeat("[0,1)\\cup", 1500) + "[0,1)",
                                 repeat("x<1 or ", 1500) + "x<2",
                                 std::string("\0\1\2", 3),
                                 "\\",
                                 "$",
                                 "\\text{",
                                 "\xff\xfe\x80"};
  for (const std::string& answer : hostile) {
    for (const std::string& gold : {std::string("5"), std::string("x^2+1"),
                                    std::string("\\{1,2,3\\}"), std::string("[0,1)"), answer}) {
      const auto begin = std::chrono::steady_clock::now();
      const Equivalence result = compare_answers(gold, answer);
      const std::chrono::duration<double, std::milli> took =
          std::chrono::steady_clock::now() - begin;
      // 50 ms is the budget on an idle core; sanitizers and a busy machine get room.
      EXPECT_LT(took.count(), 1000) << answer.substr(0, 60) << " against " << gold.substr(0, 20);
      RecordProperty(answer.substr(0, 24) + "/" + gold.substr(0, 8), std::to_string(took.count()));
      if (gold != answer && answer.size() > 20000) {
        EXPECT_EQ(result.reason, GradeReason::kBudget) << answer.substr(0, 60);
      }
    }
  }
}

}  // namespace
}  // namespace moebench
