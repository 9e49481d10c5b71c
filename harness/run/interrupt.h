#pragma once

namespace moebench {

/// While one lives, the first SIGINT or SIGTERM only makes interrupted() true; a second one ends
/// the process at once with exit code 130. At most one at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  ~InterruptGuard();
};

/// Has the user asked to stop since the guard was made?
bool interrupted() noexcept;

}  // namespace moebench
