#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "engine/tensor/tensor.h"

namespace moebench::cuda {

/// Device memory that an op needs for its own duration. One stream runs everything in order, so
/// each op takes it from the start again; it grows (and waits for the device) when an op needs more
/// than any before.
class Scratch {
 public:
  explicit Scratch(cudaStream_t stream) : stream_(stream) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();

  /// `bytes`, 256-byte aligned, uninitialised. The memory of the call before is void: ask once an
  /// op, for all that it needs. Throws Error(kDevice) when there is too little memory.
  std::byte* take(std::size_t bytes);
  std::size_t size_bytes() const noexcept { return size_bytes_; }
  /// Changes whenever the memory moved: what was recorded with the old address is void.
  std::int64_t generation() const noexcept { return generation_; }

 private:
  cudaStream_t stream_;
  std::int64_t generation_ = 0;
  std::byte* data_ = nullptr;
  std::size_t size_bytes_ = 0;
};

class BlasLt;  // kernels/blas_lt.h

/// What every kernel's host function gets: the one in-order stream and what the device is.
struct DeviceContext {
  cudaStream_t stream;
  int compute_capability;  ///< 80, 90, ...
  int n_multiprocessors;
  std::size_t max_shared_bytes;  ///< a block's dynamic shared memory after opting in
  Scratch* scratch;
  BlasLt* blas_lt = nullptr;  ///< makes dense products of F16 and BF16 weights, where given
};

/// A weight matrix in device memory. Rows are packed by kernels/packing.h, each on its own, and
/// start at multiples of 16 bytes.
struct DeviceMatrix {
  const std::byte* data = nullptr;  // (n) rows of row_bytes
  DType dtype = DType::kF32;        ///< packed_dtype: packing.h says what a row holds
  std::int64_t n = 0, k = 0;
  std::int64_t row_bytes = 0;

  const std::byte* row(std::int64_t i) const { return data + i * row_bytes; }
};

/// All experts of a layer, stacked along their rows. Gate and up have one type, all experts too
/// (kF16 or kBF16 where their packed types differ).
struct DeviceExperts {
  std::int64_t n_experts = 0, width = 0, hidden = 0;
  DeviceMatrix gate, up;  // (n_experts * width, hidden)
  DeviceMatrix down;      // (n_experts * hidden, width)
};

}  // namespace moebench::cuda
