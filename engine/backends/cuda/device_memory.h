#pragma once

#include <cuda_runtime.h>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "engine/backends/backend.h"

namespace moebench::cuda {

/// Device memory; freed with the object.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  /// Uninitialised. Throws Error(kDevice) that names `purpose`, the bytes wanted and the bytes
  /// free.
  DeviceMemory(std::size_t bytes, const char* purpose);

  std::byte* data() const noexcept { return data_.get(); }
  std::size_t size_bytes() const noexcept { return bytes_; }

 private:
  struct Free {
    void operator()(std::byte* p) const noexcept;
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t bytes_ = 0;
};

/// Streams host bytes to the device through two pinned buffers: while one is on its way, the other
/// is filled. The caller's memory is free again when a call returns.
class Uploader {
 public:
  explicit Uploader(cudaStream_t stream);
  Uploader(const Uploader&) = delete;
  Uploader& operator=(const Uploader&) = delete;
  ~Uploader();

  void copy(void* device, const void* host, std::size_t bytes);
  /// `rows` rows of row_bytes each (at most kSlotBytes); `fill(to, row)` makes row `row`.
  void rows(void* device, std::int64_t rows, std::size_t row_bytes,
            const std::function<void(std::byte* to, std::int64_t row)>& fill);

#ifdef MOEBENCH_CUDA_EMULATED
  static constexpr std::size_t kSlotBytes = 64 << 10;  // small, so that tests fill it often
#else
  static constexpr std::size_t kSlotBytes = 32 << 20;
#endif

 private:
  struct Slot {
    std::byte* data = nullptr;  // pinned
    cudaEvent_t sent = nullptr;
  };
  std::byte* begin();  ///< the next slot, once what it held has arrived
  void send(void* device, std::size_t bytes);

  cudaStream_t stream_;
  std::array<Slot, 2> slots_;
  std::size_t next_ = 0;
};

}  // namespace moebench::cuda
