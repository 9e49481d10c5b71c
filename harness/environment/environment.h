#pragma once

#include <cstdint>

#include "reports/record/run_record.h"

namespace moebench {

/// The machine as it is now: CPU, cores and memory that this process may use (affinity and cgroup
/// limits count), OS, and in `notes` what may disturb a measurement. What can't be read stays
/// empty. The peak rates are not filled.
EnvironmentRecord read_environment();

/// The build, for the record.
BuildRecord build_record();

/// The largest resident set of this process so far.
std::int64_t peak_memory_bytes();

/// User and system time of all threads of this process so far.
double process_cpu_seconds();

/// "2026-01-31T12:00:00Z"
std::string utc_now();

/// Bytes a second that `threads` threads read from a block of memory larger than the caches, best
/// of a few passes; takes about half a second. The denominator of S-MBU on a CPU.
double measure_memory_bandwidth(int threads);

}  // namespace moebench
