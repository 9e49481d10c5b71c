#include "harness/run/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace moebench {

namespace {

constexpr std::chrono::seconds kLineEvery{5};
// The bar takes what the text leaves; with less than the least there is none.
constexpr int kLeastBar = 4, kWidestBar = 30;

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, value);
  return text;
}

bool can_redraw() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && term != nullptr && std::strcmp(term, "dumb") != 0;
}

std::size_t terminal_columns() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::max(0.0, seconds)));
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) {
    return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  }
  return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

std::string progress_bar(std::int64_t done, std::int64_t total, int width) {
  const double fraction =
      total <= 0 ? 0 : std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0);
  const auto filled = static_cast<std::size_t>(fraction * width);
  return "[" + std::string(filled, '#') +
         std::string(static_cast<std::size_t>(width) - filled, '.') + "] " +
         format("%.0f %%", std::floor(100 * fraction));
}

std::string progress_text(const ProgressState& state) {
  std::string text = state.task.empty() ? "" : state.task + " ";
  text += std::to_string(state.done) + "/" + std::to_string(state.total);
  if (state.done > 0) {
    text += ", " + format("%.1f %% correct", 100.0 * static_cast<double>(state.correct) /
                                                 static_cast<double>(state.done));
  }
  if (state.elapsed_seconds > 0 && state.output_tokens > 0) {
    text += ", " +
            format("%.0f tok/s", static_cast<double>(state.output_tokens) / state.elapsed_seconds);
  }
  if (state.done_now > 0 && state.done < state.total) {
    const double a_question = state.elapsed_seconds / static_cast<double>(state.done_now);
    text +=
        ", " + duration_text(a_question * static_cast<double>(state.total - state.done)) + " left";
  }
  return text;
}

ProgressDisplay::ProgressDisplay()
    : on_terminal_(can_redraw()), last_line_(std::chrono::steady_clock::now()) {}

void ProgressDisplay::show(const ProgressState& state) {
  if (on_terminal_) {
    const std::size_t columns = terminal_columns() - 1;
    std::string line = progress_text(state);
    const int room =
        static_cast<int>(columns) - static_cast<int>(line.size() + std::strlen("[] 100 %  "));
    if (room >= kLeastBar) {
      line = progress_bar(state.done, state.total, std::min(room, kWidestBar)) + "  " + line;
    }
    line.resize(std::min(line.size(), columns));
    std::fprintf(stderr, "\r%s\033[K", line.c_str());
    std::fflush(stderr);
    drawn_ = true;
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  if (now - last_line_ < kLineEvery) return;
  last_line_ = now;
  std::fprintf(stderr, "%s\n", progress_text(state).c_str());
}

void ProgressDisplay::clear() {
  if (!drawn_) return;
  std::fprintf(stderr, "\r\033[K");
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace moebench
