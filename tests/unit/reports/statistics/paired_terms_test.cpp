#include "reports/statistics/paired_terms.h"

#include <gtest/gtest.h>

namespace moebench {
namespace {

TEST(JoinTerms, KeepsTheQuestionsThatBothHave) {
  const TermsByQuestion a = {{"q1", {2, 1}}, {"q2", {4, 1}}, {"only a", {100, 1}}};
  const TermsByQuestion b = {{"q2", {1, 1}}, {"q1", {1, 1}}, {"only b", {100, 1}}};
  const PairedTerms joined = join_terms(a, b);
  ASSERT_EQ(joined.a.size(), 2u);
  EXPECT_EQ(joined.a[1].numerator, 4);
  EXPECT_EQ(joined.sum_a.numerator, 6);
  EXPECT_EQ(joined.sum_b.denominator, 2);
  EXPECT_DOUBLE_EQ(*joined.ratio_of_ratios(), 3) << "(6 / 2) / (2 / 2)";
}

TEST(JoinTerms, NoRatioWhereThereIsNothingToDivideBy) {
  EXPECT_FALSE(join_terms({}, {}).ratio_of_ratios());
  EXPECT_FALSE(join_terms({{"q", {1, 1}}}, {{"q", {1, 1}}}).ratio_of_ratios()) << "one question";
  const TermsByQuestion two = {{"q1", {1, 1}}, {"q2", {1, 1}}};
  EXPECT_FALSE(join_terms(two, {{"q1", {0, 1}}, {"q2", {0, 1}}}).ratio_of_ratios());
  EXPECT_FALSE(join_terms(two, {{"q1", {1, 0}}, {"q2", {1, 0}}}).ratio_of_ratios());
}

}  // namespace
}  // namespace moebench
