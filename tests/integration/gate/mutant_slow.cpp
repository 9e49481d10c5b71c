// A slower program: after each forward pass it burns MOEBENCH_SLOWDOWN_PERCENT of the CPU time that
// the process has used since the last one. Linked with --wrap around Forward::run.

#include <cstdlib>
#include <ctime>
#include <span>

#include "engine/model/forward.h"

namespace {

double cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double slowdown() {
  const char* text = std::getenv("MOEBENCH_SLOWDOWN_PERCENT");
  return text == nullptr ? 0 : std::strtod(text, nullptr) / 100;
}

}  // namespace

// The linker's names for the wrapped function and for its wrapper.
#define MOEBENCH_FORWARD_RUN \
  "_ZN8moebench7Forward3runERKNS_12ForwardInputESt4spanIKNS_7KvLayerELm18446744073709551615EE"
moebench::Tensor real_run(
    moebench::Forward* self, const moebench::ForwardInput& input,
    std::span<const moebench::KvLayer> cache) __asm__("__real_" MOEBENCH_FORWARD_RUN);
moebench::Tensor slow_run(
    moebench::Forward* self, const moebench::ForwardInput& input,
    std::span<const moebench::KvLayer> cache) __asm__("__wrap_" MOEBENCH_FORWARD_RUN);

moebench::Tensor slow_run(moebench::Forward* self, const moebench::ForwardInput& input,
                          std::span<const moebench::KvLayer> cache) {
  static const double fraction = slowdown();
  static double last = cpu_seconds();
  moebench::Tensor logits = real_run(self, input, cache);
  const double now = cpu_seconds(), until = now + fraction * (now - last);
  while (cpu_seconds() < until) {
  }
  last = cpu_seconds();
  return logits;
}
