#pragma once

#include <string>
#include <vector>

#include "reports/record/run_record.h"

namespace moebench {

/// In what the machines (and their use) of two records differ, a sentence each: CPU, cores, memory,
/// device, instruction set, threads, GPUs, governor. Empty: their timings may be compared.
std::vector<std::string> machine_differences(const RunRecord& baseline, const RunRecord& candidate);

}  // namespace moebench
