#pragma once

namespace moebench {

/// Physical cores that this process may use: CPUs of its affinity mask, hyper-threads of one core
/// counted once, and no more than its cgroup's CPU quota (rounded up). At least 1.
int usable_cores();

}  // namespace moebench
