#pragma once

#include "cuda_runtime.h"

// Asynchronous copies into shared memory. The emulation copies at once, so a missing wait shows on
// a device only; compute-sanitizer's racecheck looks for it there.
inline void __pipeline_memcpy_async(void* to, const void* from, std::size_t bytes,
                                    std::size_t zero_filled = 0) {
  auto* const t = static_cast<char*>(to);
  const auto* const f = static_cast<const char*>(from);
  if ((bytes != 4 && bytes != 8 && bytes != 16) ||
      reinterpret_cast<std::uintptr_t>(to) % bytes != 0 ||
      reinterpret_cast<std::uintptr_t>(from) % bytes != 0)
    cuda_emulation::fail("an asynchronous copy is not of 4, 8 or 16 aligned bytes");
  for (std::size_t i = 0; i < bytes; ++i) t[i] = i < bytes - zero_filled ? f[i] : char{0};
}
inline void __pipeline_commit() {}
inline void __pipeline_wait_prior(std::size_t) {}
