#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <memory>
#include <string>

#include "engine/backends/cuda/device_context.h"

namespace moebench::cuda {

/// Dense products of F16 and BF16 weights by cuBLASLt. The library is opened here and nowhere else:
/// the plugin loads without it. One algorithm per (type, n, k), whatever the number of rows,
/// without split-K, reduction or workspace: no two blocks add to the same output. Not thread-safe;
/// host code. Needs the device to be the current one.
class BlasLt {
 public:
  /// Throws Error(kUsage) that names the library when it can't be opened, or when this build has
  /// no header of it; Error(kDevice) when it can't be used.
  BlasLt();
  BlasLt(const BlasLt&) = delete;
  BlasLt& operator=(const BlasLt&) = delete;
  ~BlasLt();

  std::string version() const;  ///< "13.1.0"
  /// Whether product() takes these weights: their type, and an algorithm for any number of columns
  /// up to kMostColumns. The same answer each time.
  bool takes(const DeviceMatrix& weight);
  /// Enqueues out (columns, product_width(n)) F32 = x (columns, k padded to kUnit) W^T, where x has
  /// the weights' type; all of it 256-byte aligned. Precondition: takes(weight).
  void product(float* out, const std::uint16_t* x, std::int64_t columns, const DeviceMatrix& weight,
               cudaStream_t stream);

  static constexpr std::int64_t kMostColumns = 1024;
  /// Floats from a row of the product to the next: n, and what alignment wants.
  static constexpr std::int64_t product_width(std::int64_t n) { return (n + 63) / 64 * 64; }

 private:
  struct Library;
  struct Problem;
  std::unique_ptr<Library> library_;
};

}  // namespace moebench::cuda
