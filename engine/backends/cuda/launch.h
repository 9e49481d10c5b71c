#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <utility>

#include "engine/backends/cuda/cuda_error.h"

// The one place where kernels are started and where device code meets its two worlds: nvcc, and the
// emulation of tests/emulation, under which these sources compile as plain C++ (its own
// cuda_runtime.h comes first on the include path and defines MOEBENCH_CUDA_EMULATED).

namespace moebench::cuda {

inline constexpr std::size_t kDefaultSharedBytes = 48 << 10;  ///< more needs an opt-in per kernel

/// Enqueues kernel<<<grid, block, shared_bytes, stream>>>(arguments...); throws Error(kDevice) if
/// the launch itself is refused. Arguments are converted to the kernel's parameters and copied.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
            cudaStream_t stream, Arguments&&... arguments) {
#ifdef MOEBENCH_CUDA_EMULATED
  cuda_emulation::launch<Parameters...>(kernel, grid, block, shared_bytes, stream,
                                        static_cast<Parameters>(arguments)...);
#else
  if (shared_bytes > kDefaultSharedBytes)
    check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                               cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shared_bytes)),
          "reserving shared memory for a kernel");
  kernel<<<grid, block, shared_bytes, stream>>>(static_cast<Parameters>(arguments)...);
#endif
  check(cudaGetLastError(), "starting a kernel");
}

/// The block's dynamic shared memory (16-byte aligned), `shared_bytes` of the launch.
template <class T>
__device__ __forceinline__ T* dynamic_shared() {
#ifdef MOEBENCH_CUDA_EMULATED
  return static_cast<T*>(cuda_emulation::dynamic_shared());
#else
  extern __shared__ __align__(16) unsigned char moebench_dynamic_shared[];
  return reinterpret_cast<T*>(moebench_dynamic_shared);
#endif
}

/// a / b rounded up, for grids.
constexpr __host__ __device__ std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

/// A grid's x dimension (at most 2^31 - 1 blocks; the backend's shapes are far below).
inline unsigned grid_size(std::int64_t n) { return static_cast<unsigned>(n); }

}  // namespace moebench::cuda
