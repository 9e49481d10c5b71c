#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "datasets/grading/equivalence.h"
#include "datasets/grading/parser.h"
#include "datasets/readers/readers.h"
#include "datasets/verdict.h"

namespace moebench {
namespace {

namespace fs = std::filesystem;

class RealGoldsTest : public testing::Test {
 protected:
  /// The published problems, read from $MOEBENCH_DATA_DIR; none where it holds no such file.
  std::vector<Sample> samples(const std::string& task_name) {
    task_ = load_task(task_name);
    const std::string& file = task_.files[0].file;
    const char* folder = std::getenv("MOEBENCH_DATA_DIR");
    const std::string remedy = "set it to a folder with " + file + " (moebench data fetch " +
                               task_name + " --data DIR), or let ci/test look beside the checkout";
    if (folder == nullptr || *folder == '\0') {
      missing_ = "MOEBENCH_DATA_DIR is not set: " + remedy;
      return {};
    }
    if (!fs::exists(fs::path(folder) / file)) {
      missing_ = "MOEBENCH_DATA_DIR is " + std::string(folder) + ", which holds no " + file + ": " +
                 remedy;
      return {};
    }
    return read_samples(task_, folder).samples;
  }
  Task task_;
  std::string missing_;  // why there are no samples
};

#define SKIP_WITHOUT(samples) \
  if ((samples).empty()) GTEST_SKIP() << missing_

/// Ways to write the same answer. Each takes the text and returns a rewrite, or the text itself
/// where it does not apply.
class Rewriter {
 public:
  explicit Rewriter(unsigned seed) : random_(seed) {}

  std::string rewrite(std::string text) {
    const int steps = 1 + static_cast<int>(random_() % 3);
    for (int i = 0; i < steps; ++i) text = once(text);
    return text;
  }

 private:
  static std::string replace(std::string text, const std::string& from, const std::string& to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
      text.replace(at, from.size(), to);
    }
    return text;
  }

  /// Positions of `separators` outside all brackets.
  static std::vector<std::size_t> splits(const std::string& text, const std::string& separators) {
    std::vector<std::size_t> result;
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (c == '(' || c == '[' || c == '{') ++depth;
      if (c == ')' || c == ']' || c == '}') --depth;
      if (depth == 0 && separators.find(c) != std::string::npos && i > 0 && text[i - 1] != '\\')
        result.push_back(i);
    }
    return result;
  }

  std::string commute_sum(const std::string& text) {
    if (text.find_first_of("=<>,:&") != std::string::npos ||
        text.find("\\begin") != std::string::npos || text.find("text") != std::string::npos ||
        text.find("mbox") != std::string::npos || text.find("\\pm") != std::string::npos ||
        text.find("\\in") != std::string::npos || text.find("\\cup") != std::string::npos ||
        text.find('$') != std::string::npos || text.find('_') != std::string::npos ||
        text.find("le") != std::string::npos || text.ends_with('.') ||
        text.find("\\%") != std::string::npos || text.find("circ") != std::string::npos) {
      return text;
    }
    std::vector<std::string> terms;
    std::size_t begin = 0;
    for (const std::size_t at : splits(text, "+-")) {
      const std::string term = text.substr(begin, at - begin);
      if (term.find_last_not_of(' ') == std::string::npos) continue;  // a leading sign
      const char last = term[term.find_last_not_of(' ')];
      if (last == '^' || last == '*' || last == '/' || last == '+' || last == '-') return text;
      terms.push_back(term);
      begin = at;
    }
    terms.push_back(text.substr(begin));
    if (terms.size() < 2) return text;
    std::shuffle(terms.begin(), terms.end(), random_);
    std::string sum;
    for (const std::string& term : terms) {
      const char first = term[term.find_first_not_of(' ')];
      sum += first == '+' || first == '-' ? term : "+" + term;
    }
    return sum.starts_with("+") ? sum.substr(1) : sum;
  }

  std::string commute_list(const std::string& text) {
    if (text.find("\\!") != std::string::npos || text.find("{,}") != std::string::npos ||
        text.find("text") != std::string::npos || text.find('=') != std::string::npos)
      return text;
    std::vector<std::string> parts;
    std::size_t begin = 0;
    const std::vector<std::size_t> commas = splits(text, ",");
    for (const std::size_t at : commas) {
      parts.push_back(text.substr(begin, at - begin));
      begin = at + 1;
    }
    parts.push_back(text.substr(begin));
    if (parts.size() < 2) return text;
    if (parts.size() == 2 && parts[1].size() == 3 &&
        parts[1].find_first_not_of("0123456789") == std::string::npos)
      return text;
    std::shuffle(parts.begin(), parts.end(), random_);
    std::string list;
    for (const std::string& part : parts) list += (list.empty() ? "" : ", ") + part;
    return list;
  }

  static std::string slash_fraction(const std::string& text) {
    // The whole answer is one fraction of digits: \frac{3}{4} -> 3/4.
    const bool negative = text.starts_with("-");
    const std::string body = negative ? text.substr(1) : text;
    for (const std::string head : {"\\frac{", "\\dfrac{", "\\tfrac{"}) {
      if (!body.starts_with(head) || !body.ends_with("}")) continue;
      const std::size_t middle = body.find("}{");
      if (middle == std::string::npos) return text;
      const std::string top = body.substr(head.size(), middle - head.size());
      const std::string bottom = body.substr(middle + 2, body.size() - middle - 3);
      if (top.find_first_not_of("0123456789") != std::string::npos ||
          bottom.find_first_not_of("0123456789") != std::string::npos)
        return text;
      return (negative ? "-" : "") + top + "/" + bottom;
    }
    return text;
  }

  static std::string terminating_decimal(const std::string& text) {
    const std::string slash = slash_fraction(text);
    const std::size_t at = slash.find('/');
    if (at == std::string::npos || slash == text || slash.size() > 12) return text;
    const bool negative = slash.starts_with("-");
    long top = std::stol(slash.substr(negative ? 1 : 0)), bottom = std::stol(slash.substr(at + 1));
    long rest = bottom;
    for (const long p : {2L, 5L}) {
      while (rest % p == 0) rest /= p;
    }
    // 7/49 ends only if the numerator takes the other primes away; leave those.
    if (rest != 1 || bottom == 0) return text;
    std::string digits = std::to_string(top / bottom) + ".";
    long left = top % bottom;
    if (left == 0) return text;
    while (left != 0) {
      left *= 10;
      digits += static_cast<char>('0' + left / bottom);
      left %= bottom;
    }
    return (negative ? "-" : "") + digits;
  }

  std::string once(const std::string& text) {
    const bool words =
        text.find("\\text") != std::string::npos || text.find("\\mbox") != std::string::npos;
    switch (random_() % 15) {
      case 0:
        return replace(text, "\\frac", "\\dfrac");
      case 1:
        return replace(replace(text, "\\dfrac", "\\frac"), "\\tfrac", "\\frac");
      case 2:
        return text.find("\\left") != std::string::npos
                   ? replace(replace(text, "\\left", ""), "\\right", "")
                   : text;
      case 3: {
        if (text.find("\\left") != std::string::npos ||
            text.find_first_of("[]") != std::string::npos ||
            text.find("\\(") != std::string::npos || words)
          return text;
        return replace(replace(text, "(", "\\left("), ")", "\\right)");
      }
      case 4:
        return text.find('$') == std::string::npos ? "$" + text + "$" : text;
      case 5:
        return words || text.find("begin") != std::string::npos
                   ? " " + text + " "
                   : replace(replace(text, "+", " + "), ",",
                             text.find("\\!") != std::string::npos ||
                                     text.find("{,}") != std::string::npos ||
                                     text.find_first_of("([{ ") == std::string::npos
                                 ? ","
                                 : ", ");
      case 6:
        return text + (text.ends_with('.') ? "" : ".");
      case 7: {
        const bool integer = text.find_first_not_of("0123456789") == std::string::npos;
        return integer ? text + (random_() % 2 ? "\\text{ cm}" : " \\text{ units}") : text;
      }
      case 8:
        return slash_fraction(text);
      case 9:
        return terminating_decimal(text);
      case 10:
        return commute_sum(text);
      case 11:
        return commute_list(text);
      case 12: {
        const bool integer =
            text.find_first_not_of("0123456789") == std::string::npos && text.size() < 10;
        return integer ? text + ".0" : text;
      }
      case 13:
        return text.find_first_of("$.") == std::string::npos ? "\\(" + text + "\\)" : text;
      default:
        return text.find_first_of("$") == std::string::npos &&
                       text.find("\\boxed") == std::string::npos
                   ? "\\boxed{" + text + "}"
                   : text;
    }
  }

  std::mt19937 random_;
};

TEST_F(RealGoldsTest, EveryMathGoldParsesAndEqualsItsCosmeticRewrites) {
  const std::vector<Sample> math = samples("math");
  SKIP_WITHOUT(math);
  EXPECT_EQ(math.size(), 5000u);
  Rewriter rewriter(20260131);
  int pairs = 0, failures = 0, text = 0, self_correct = 0;
  for (const Sample& sample : math) {
    const auto parsed = parse_answer(sample.target);
    EXPECT_TRUE(parsed.has_value()) << sample.id << ": " << sample.target << " cannot be read";
    text += parsed && parsed->tree.at(parsed->tree.root).kind == NodeKind::kText;
    const Verdict verdict = grade(task_, sample, sample.solution, false);
    if (verdict.kind == VerdictKind::kCorrect || verdict.corrected_kind == VerdictKind::kCorrect)
      ++self_correct;
    else
      ADD_FAILURE() << sample.id << ": its own solution grades " << to_string(verdict.kind)
                    << ", extracted " << verdict.extracted;
    for (int i = 0; i < 4; ++i) {
      const std::string rewrite = rewriter.rewrite(sample.target);
      ++pairs;
      const Equivalence result = compare_answers(sample.target, rewrite);
      if (result.equal) continue;
      if (++failures <= 20)
        std::printf("  not equal: %s | %s (%s)\n", sample.target.c_str(), rewrite.c_str(),
                    std::string(to_string(result.reason)).c_str());
    }
  }
  std::printf(
      "MATH: %d of 5000 golds are words; %d own solutions correct; %d of %d rewrites not equal "
      "(%.3f %% equal)\n",
      text, self_correct, failures, pairs, 100.0 * (pairs - failures) / pairs);
  EXPECT_LE(failures, pairs / 500) << "at least 99.8 % of the rewrites must be equal";
}

TEST_F(RealGoldsTest, EveryGsm8kGoldIsExtractedFromItsSolution) {
  const std::vector<Sample> gsm8k = samples("gsm8k");
  SKIP_WITHOUT(gsm8k);
  EXPECT_EQ(gsm8k.size(), 1319u);
  for (const Sample& sample : gsm8k) {
    EXPECT_EQ(grade(task_, sample, sample.solution, false).kind, VerdictKind::kCorrect)
        << sample.id << ": " << sample.target;
    std::string plain = sample.target;
    plain.erase(std::remove(plain.begin(), plain.end(), ','), plain.end());
    EXPECT_EQ(grade(task_, sample, "The answer is $" + plain + ".00.", false).kind,
              VerdictKind::kCorrect)
        << plain;
    EXPECT_EQ(grade(task_, sample, "#### " + plain + "1", false).kind, VerdictKind::kWrong)
        << plain;
  }
}

TEST_F(RealGoldsTest, AnswersOfOtherProblemsAreToldApart) {
  const std::vector<Sample> math = samples("math");
  SKIP_WITHOUT(math);
  std::set<std::string> distinct;
  for (const Sample& sample : math) distinct.insert(sample.target);
  const std::vector<std::string> golds(distinct.begin(), distinct.end());
  std::mt19937 random(7);
  int pairs = 0, equal = 0;
  std::set<std::string> shown;
  for (int i = 0; i < 60000; ++i) {
    // Half at random, half among neighbours in the alphabet, which look alike.
    const std::size_t a = random() % golds.size();
    const std::size_t b =
        i % 2 ? random() % golds.size() : std::min(golds.size() - 1, a + 1 + random() % 40);
    if (a == b) continue;
    ++pairs;
    const Equivalence result = compare_answers(golds[a], golds[b]);
    if (!result.equal) continue;
    // The same value in another notation is no mistake: those both ways and exactly.
    if (i % 2) ++equal;
    if (shown.size() < 400 &&
        shown.insert(golds[a] + " | " + golds[b] + " | " + std::string(to_string(result.reason)))
            .second &&
        std::getenv("MOEBENCH_SHOW_EQUAL")) {
      std::printf("  equal: %s | %s (%s)\n", golds[a].c_str(), golds[b].c_str(),
                  std::string(to_string(result.reason)).c_str());
    }
  }
  std::printf(
      "different MATH golds judged equal: %d of %d drawn at random (set MOEBENCH_SHOW_EQUAL to "
      "list them)\n",
      equal, pairs / 2);
  EXPECT_LE(equal, pairs / 2 * 5 / 10000 + 1) << "at most 0.05 % may be judged equal";
}

TEST_F(RealGoldsTest, KnownIncompleteGoldsAreScoredBothWays) {
  const std::vector<Sample> math = samples("math");
  SKIP_WITHOUT(math);
  int corrected = 0;
  for (const Sample& sample : math) {
    if (sample.corrected_targets.empty()) continue;
    ++corrected;
    for (const std::string& target : sample.corrected_targets) {
      EXPECT_EQ(grade(task_, sample, "\\boxed{" + target + "}", false).corrected_kind,
                VerdictKind::kCorrect)
          << sample.id;
    }
    EXPECT_EQ(grade(task_, sample, "\\boxed{" + sample.target + "}", false).kind,
              VerdictKind::kCorrect)
        << sample.id;
  }
  EXPECT_EQ(corrected, 13);
}

}  // namespace
}  // namespace moebench
