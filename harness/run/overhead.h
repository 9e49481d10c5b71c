#pragma once

#include <span>

#include "harness/run/plan.h"

namespace moebench {

/// What the harness itself spends on one attempt, in milliseconds: up to 200 of the attempts are
/// played against the null client, graded and put into JSON, not written.
double measure_overhead_ms(const RunPlan& plan, std::span<const Attempt> attempts);

}  // namespace moebench
