#include "tests/conformance/planted.h"

// Apart from the kernels: what these read is checked against the device's memory.

namespace {
int switched_on = 0;
}

extern "C" bool moebench_planted(int bug) { return bug == switched_on; }

bool switch_planted_bug(int bug) {
  switched_on = bug;
  return true;
}
