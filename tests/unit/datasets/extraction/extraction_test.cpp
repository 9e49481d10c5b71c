#include "datasets/extraction/extraction.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace moebench {
namespace {

struct Case {
  ExtractionKind kind;
  std::string text;
  std::string answer;  ///< empty: nothing is to be found
  ExtractionRule rule;
};

constexpr ExtractionKind kBoxed = ExtractionKind::kBoxed;
constexpr ExtractionKind kFlexible = ExtractionKind::kFlexibleNumber;
constexpr ExtractionKind kStrict = ExtractionKind::kStrictHash;
using Rule = ExtractionRule;

const Case kCases[] = {
    // Boxes.
    {kBoxed, R"(So the answer is $\boxed{\frac{1}{2}}$.)", R"(\frac{1}{2})", Rule::kBox},
    {kBoxed, R"(First $\boxed{3}$. Then $\boxed{5}$.)", "5", Rule::kBox},
    {kBoxed, R"(\fbox{7})", "7", Rule::kBox},
    {kBoxed, R"(\boxed 5)", "5", Rule::kBox},
    {kBoxed, R"(so $\boxed 42$.)", "42", Rule::kBox},
    {kBoxed, R"(so \boxed 4.25.)", "4.25", Rule::kBox},
    {kBoxed, R"(\boxed{ \{1,2\} })", R"(\{1,2\})", Rule::kBox},
    {kBoxed, R"(\boxed{\text{The set } \{x\}})", R"(\text{The set } \{x\})", Rule::kBox},
    {kBoxed, R"($x=\boxed{-2}$ and $x=\boxed{1}$.)", "-2, 1", Rule::kBoxGroup},
    {kBoxed, R"(\boxed{3} or \boxed{\frac{2}{5}})", R"(3, \frac{2}{5})", Rule::kBoxGroup},
    {kBoxed, R"(\boxed{1}, \boxed{2}, and \boxed{3})", "1, 2, 3", Rule::kBoxGroup},
    {kBoxed, R"(We had \boxed{4}. The area is \boxed{9}.)", "9", Rule::kBox},
    {kBoxed, R"(\boxed{5} \boxed{})", "5", Rule::kBox},
    {kBoxed, R"(It is \boxed{5}. Wait, that's wrong. The answer is 7.)", "7", Rule::kAnswerIs},
    {kBoxed, R"(It is \boxed{5}. Wait, let me check. Yes, \boxed{5} is right.)", "5", Rule::kBox},
    {kBoxed, R"(Complete \boxed{12} and then \boxed{\frac{1)", "12", Rule::kBox},
    {kBoxed, R"(So the result is \boxed{\frac{12}{)", "", Rule::kNone},
    // Thinking.
    {kBoxed, R"(<think>maybe \boxed{3}</think>Thus \boxed{4}.)", "4", Rule::kBox},
    {kBoxed, R"(maybe \boxed{3}</think>Thus \boxed{4}.)", "4", Rule::kBox},
    {kBoxed, R"(<think>maybe \boxed{3}</think>I give up.)", "", Rule::kNone},
    {kFlexible, "<think>2 + 3 = 5</think>\n#### 5", "5", Rule::kHash},
    // Run-on.
    {kBoxed, "Answer: \\boxed{4}\n\nProblem: What is 2+3?\nSolution: \\boxed{5}", "4", Rule::kBox},
    {kFlexible, "It is 4.\n#### 4\n\nQuestion: Tom has 3.\nAnswer: 3+6\n#### 9", "4", Rule::kHash},
    {kBoxed, "Let me restate.\nProblem: find x.\nSo \\boxed{5}", "5", Rule::kBox},
    {kFlexible, "#### 8<|im_end|>\n#### 9", "8", Rule::kHash},
    // Stated answers.
    {kBoxed, "Final Answer: The final answer is $\\frac{3}{4}$. I hope it is correct.",
     R"(\frac{3}{4})", Rule::kFinalAnswer},
    {kBoxed, "The final answer is 17.", "17", Rule::kFinalAnswer},
    {kBoxed, "Therefore, the answer is $x = 5$.", "x = 5", Rule::kAnswerIs},
    {kBoxed, "The answer is **12**.", "12", Rule::kAnswerIs},
    {kBoxed, "The answer is 3.5 because 7/2 is 3.5.", "3.5", Rule::kAnswerIs},
    {kBoxed, "The answer is $3$ and $5$.", "3 and 5", Rule::kAnswerIs},
    {kBoxed, "We are done.\nANSWER: $B$", "B", Rule::kAnswerIs},
    {kBoxed, "**Answer:** (2, 3)", "(2, 3)", Rule::kAnswerIs},
    {kBoxed, "The answer is \\((1, 2)\\), as required.", "(1, 2)", Rule::kAnswerIs},
    {kBoxed, "The answer is \\[ \\frac{1}{3} \\]", R"(\frac{1}{3})", Rule::kAnswerIs},
    {kBoxed, "<answer>42</answer>", "42", Rule::kAnswerLabel},
    {kBoxed, "So x is found.\n\n**42**", "42", Rule::kBold},
    {kBoxed, "\\frac{1}{2}", R"(\frac{1}{2})", Rule::kWholeText},
    {kBoxed, "Simplifying, therefore $x = 7$.", "x = 7", Rule::kLastMath},
    {kBoxed, "I do not know how to solve this problem, and I will not guess at it.", "",
     Rule::kNone},
    {kBoxed, "", "", Rule::kNone},
    // GSM8K.
    {kStrict, "#### 1,234", "1,234", Rule::kHash},
    {kStrict, "#### $18 per day", "$18", Rule::kHash},
    {kStrict, "The answer is 18.", "", Rule::kNone},
    {kStrict, "####", "", Rule::kNone},
    {kFlexible, "She has 3 apples and 5 pears, so 8 pieces.", "8", Rule::kLastNumber},
    {kFlexible, "It costs $1,200.50.", "1,200.50", Rule::kLastNumber},
    {kFlexible, "The balance is -3.", "-3", Rule::kLastNumber},
    {kFlexible, "5 - 3", "3", Rule::kLastNumber},
    {kFlexible, "So 1/2.", "1/2", Rule::kLastNumber},
    {kFlexible, "The answer is $18 per day.", "$18 per day", Rule::kAnswerIs},
    {kFlexible, "#### 12 (since 3*4 = 12)", "12", Rule::kHash},
    {kFlexible, "Total = **$48**", "$48", Rule::kBold},
    {kBoxed, "The correct option is **B**.", "B", Rule::kAnswerIs},
    {kBoxed, "**Final Answer**\n\n\\[ \\boxed{(3, 4)} \\]", "(3, 4)", Rule::kBox},
    {kBoxed, "We get 3 + 4 = 7", "7", Rule::kLastNumber},
    {kFlexible, "no numbers here", "", Rule::kNone},
};

TEST(ExtractionTest, FindsTheAnswerByTheStatedRule) {
  for (const Case& c : kCases) {
    ExtractionRules rules;
    rules.kind = c.kind;
    const Extraction extraction = extract_answer(rules, c.text, true);
    std::string trace;
    for (const std::string& line : extraction.trace) trace += line + "; ";
    EXPECT_EQ(extraction.answer, c.answer) << c.text << "\ntrace: " << trace;
    EXPECT_EQ(to_string(extraction.rule), to_string(c.rule)) << c.text << "\ntrace: " << trace;
  }
}

TEST(ExtractionTest, UnclosedThinkingIsTruncated) {
  for (const char* text : {"<think>so \\boxed{5}", "<think>a</think> b <think>\\boxed{5}"}) {
    EXPECT_EQ(extract_answer({}, text).status, ExtractionStatus::kUnclosedThinking) << text;
  }
}

TEST(ExtractionTest, HostileTextsStayWithinTheTimeBudget) {
  const auto repeat = [](const std::string& piece, std::size_t bytes) {
    std::string text;
    while (text.size() < bytes) text += piece;
    return text;
  };
  for (const std::string& piece :
       {std::string("\\boxed{"), std::string("{"), std::string("\\boxed{1}, "),
        std::string("answer is "), std::string("\nQuestion: answer: "), std::string("wait, "),
        std::string("**"), std::string("$"), std::string("9"), std::string("####\n"),
        std::string("<think>"), std::string("\\(")}) {
    const std::string text = repeat(piece, 1 << 20);
    const auto begin = std::chrono::steady_clock::now();
    extract_answer({}, text);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    RecordProperty(piece, std::to_string(took.count()));
    EXPECT_LT(took.count(), 0.5) << "a megabyte of \"" << piece
                                 << "\" must not take superlinear time";
  }
}

}  // namespace
}  // namespace moebench
