#include "harness/run/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "engine/base/check.h"

namespace moebench {

namespace {

std::atomic<int> signals_seen{0};
static_assert(std::atomic<int>::is_always_lock_free, "the handler must not take a lock");

struct sigaction old_interrupt, old_terminate;

extern "C" void note_signal(int) {
  if (signals_seen.fetch_add(1) > 0) _exit(130);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  signals_seen = 0;
  struct sigaction action {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART;
  MOEBENCH_CHECK(sigaction(SIGINT, &action, &old_interrupt) == 0);
  MOEBENCH_CHECK(sigaction(SIGTERM, &action, &old_terminate) == 0);
}

InterruptGuard::~InterruptGuard() {
  sigaction(SIGINT, &old_interrupt, nullptr);
  sigaction(SIGTERM, &old_terminate, nullptr);
}

bool interrupted() noexcept { return signals_seen.load() > 0; }

}  // namespace moebench
