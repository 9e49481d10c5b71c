#pragma once

#include <memory>

#include "engine/backends/backend.h"

namespace moebench {

/// The CPU backend: weights interleaved in panels once, at prepare; kernels chosen by the machine's
/// instruction set (environment variable MOEBENCH_ISA=scalar|avx2 forces a lower one). `threads` >=
/// 1 counts the calling thread. Throws Error(kConfiguration) when MOEBENCH_ISA names a level that
/// the machine lacks or that does not exist.
///
/// All ops are called by one thread; they return when their result is there.
std::unique_ptr<Backend> make_cpu_backend(int threads);

}  // namespace moebench
