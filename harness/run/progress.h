#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace moebench {

/// Where a run stands.
struct ProgressState {
  std::string task;  ///< the one whose question ended last
  std::int64_t done = 0, total = 0, correct = 0;
  std::int64_t done_now = 0;  ///< of `done`, since this program started (a resumed run has more)
  double elapsed_seconds = 0;
  std::int64_t output_tokens = 0;  ///< since this program started
};

/// "gsm8k-mini 123/400, 61.0 % correct, 812 tok/s, 1 min 20 s left"
std::string progress_text(const ProgressState& state);

/// "[######....] 30 %"
std::string progress_bar(std::int64_t done, std::int64_t total, int width);

/// "45 s", "3 min 20 s", "2 h 5 min"
std::string duration_text(double seconds);

/// Tells on stderr how a run gets on: a bar that is redrawn on a terminal, otherwise a plain line
/// every few seconds.
class ProgressDisplay {
 public:
  ProgressDisplay();
  ~ProgressDisplay() { clear(); }
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void show(const ProgressState& state);
  /// Removes the bar, so that something else can be written.
  void clear();

 private:
  bool on_terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_line_;
};

}  // namespace moebench
