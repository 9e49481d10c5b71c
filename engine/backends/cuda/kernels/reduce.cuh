#pragma once

#include "engine/backends/cuda/launch.h"

namespace moebench::cuda {

inline constexpr int kWarpThreads = 32;
inline constexpr unsigned kWholeWarp = 0xffffffffu;
/// Threads of a block that works on one row.
inline constexpr int kRowThreads = 256;

/// The sum over a warp, in every lane; one order of additions (a butterfly).
__device__ __forceinline__ float warp_sum(float value) {
  for (int step = kWarpThreads / 2; step > 0; step /= 2)
    value += __shfl_xor_sync(kWholeWarp, value, step);
  return value;
}

/// The sum over a block of kRowThreads, in every thread. All threads call it; two calls need no
/// barrier between them.
__device__ inline float block_sum(float value) {
  constexpr int kWarps = kRowThreads / kWarpThreads;
  __shared__ float sums[kWarps];
  value = warp_sum(value);
  if (threadIdx.x % kWarpThreads == 0) sums[threadIdx.x / kWarpThreads] = value;
  __syncthreads();
  value = 0.0f;
  for (int i = 0; i < kWarps; ++i) value += sums[i];
  __syncthreads();
  return value;
}

}  // namespace moebench::cuda
