#include "harness/processes/child.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace moebench {
namespace {

TEST(LastLines, KeepsTheEndAndMakesControlCharactersHarmless) {
  EXPECT_EQ(last_lines("first\n\x1b[31mred\x7f \n\n"), "first\n?[31mred?");
  EXPECT_EQ(last_lines("a\nb", "  "), "a\n  b");
  EXPECT_EQ(last_lines(" \n"), "");
  std::string many;
  for (int i = 1; i <= 40; ++i) many += std::to_string(i) + "\n";
  EXPECT_EQ(last_lines(many).substr(0, 6), "26\n27\n");
  EXPECT_EQ(last_lines(std::string(1 << 20, 'x')).size(), 2000u);
}

TEST(LastLines, ReadsTheEndOfAFileAndNothingWhereThereIsNone) {
  const std::filesystem::path file =
      std::filesystem::path(testing::TempDir()) / ("last_lines_" + std::to_string(getpid()));
  std::ofstream(file) << std::string(100'000, 'x') << "\nthe end\n";
  EXPECT_TRUE(last_lines_of(file).ends_with("x\nthe end"));
  EXPECT_LE(last_lines_of(file).size(), 2000u);
  std::filesystem::remove(file);
  EXPECT_EQ(last_lines_of(file), "");
}

TEST(ExitText, NamesTheSignalOrTheCode) {
  EXPECT_EQ(exit_text(SIGSEGV), "signal 11 (Segmentation fault)");
  EXPECT_EQ(exit_text(7 << 8), "exit code 7");
}

// A starter that is killed at once leaves no child behind.
TEST(DieWith, EndsTheChildWithTheProcessThatStartedIt) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t starter = ::fork();
  if (starter == 0) {
    const pid_t parent = ::getpid();
    if (::fork() == 0) {
      die_with(parent);
      (void)!::write(ends[1], "x", 1);
      for (;;) ::pause();
    }
    for (;;) ::pause();
  }
  ::close(ends[1]);
  char byte = 0;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);  // the child has asked to die
  ::kill(starter, SIGKILL);
  ::waitpid(starter, nullptr, 0);
  alarm(20);  // the pipe closes when the child is gone; if it never is, this test is ended
  EXPECT_EQ(::read(ends[0], &byte, 1), 0);
  alarm(0);
  ::close(ends[0]);
}

}  // namespace
}  // namespace moebench
