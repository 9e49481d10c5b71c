#pragma once

#include <cstdint>

namespace moebench {

/// Bytes that this process can still take without swapping or being killed: the least of what the
/// system has available (/proc/meminfo) and what its cgroups (v2, or v1) leave, page cache that can
/// be dropped counted as free.
std::int64_t available_memory_bytes();

/// Bytes of this process's own memory (not of mapped files) that are resident.
std::int64_t resident_anonymous_bytes();

}  // namespace moebench
