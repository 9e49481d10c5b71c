#include "tests/conformance/planted.h"

bool switch_planted_bug(int bug) { return bug == 0; }
