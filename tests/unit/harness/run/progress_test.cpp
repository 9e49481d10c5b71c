#include "harness/run/progress.h"

#include <gtest/gtest.h>

namespace moebench {
namespace {

TEST(Duration, UsesTheTwoUnitsThatMatter) {
  EXPECT_EQ(duration_text(0), "0 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(200), "3 min 20 s");
  EXPECT_EQ(duration_text(7500), "2 h 5 min");
  EXPECT_EQ(duration_text(-1), "0 s");
}

TEST(ProgressBar, FillsFromEmptyToFullAndNeverOverflows) {
  EXPECT_EQ(progress_bar(0, 10, 10), "[..........] 0 %");
  EXPECT_EQ(progress_bar(5, 10, 10), "[#####.....] 50 %");
  EXPECT_EQ(progress_bar(10, 10, 10), "[##########] 100 %");
  EXPECT_EQ(progress_bar(20, 10, 10), "[##########] 100 %");
  EXPECT_EQ(progress_bar(0, 0, 10), "[..........] 0 %");
  EXPECT_EQ(progress_bar(199, 200, 10), "[#########.] 99 %") << "100 % must mean done";
}

TEST(ProgressText, TellsAccuracySpeedAndTimeLeft) {
  ProgressState state;
  state.task = "gsm8k-mini";
  state.done = 100;
  state.done_now = 100;
  state.total = 400;
  state.correct = 61;
  state.elapsed_seconds = 50;
  state.output_tokens = 5000;
  EXPECT_EQ(progress_text(state), "gsm8k-mini 100/400, 61.0 % correct, 100 tok/s, 2 min 30 s left");
}

TEST(ProgressText, EstimatesFromThisStretchAloneAfterAResume) {
  ProgressState state;
  state.done = 300;
  state.done_now = 100;
  state.total = 400;
  state.elapsed_seconds = 50;
  EXPECT_EQ(progress_text(state), "300/400, 0.0 % correct, 50 s left");
}

TEST(ProgressText, PromisesNothingBeforeTheFirstAnswer) {
  ProgressState state;
  state.total = 400;
  state.elapsed_seconds = 5;
  EXPECT_EQ(progress_text(state), "0/400");
}

}  // namespace
}  // namespace moebench
