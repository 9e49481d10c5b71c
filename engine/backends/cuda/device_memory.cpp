#include "engine/backends/cuda/device_memory.h"

#include <algorithm>
#include <cstring>

#include "engine/backends/cuda/cuda_error.h"
#include "engine/backends/cuda/device_context.h"
#include "engine/base/error.h"

namespace moebench::cuda {
namespace {

std::string megabytes(std::size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

void DeviceMemory::Free::operator()(std::byte* p) const noexcept { cudaFree(p); }

DeviceMemory::DeviceMemory(std::size_t bytes, const char* purpose) : bytes_(bytes) {
  if (bytes == 0) return;
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // it would come back at the next launch
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "asking for its free memory");
    throw Error(ErrorCode::kDevice,
                "the GPU has " + megabytes(free) + " of its " + megabytes(total) + " free; " +
                    purpose + " needs " + megabytes(bytes + (1 << 20) - 1),
                "choose a smaller batch, context or cache, or narrower weights");
  }
  check(status, "allocating memory");
  data_.reset(static_cast<std::byte*>(memory));
}

Uploader::Uploader(cudaStream_t stream) : stream_(stream) {
  for (Slot& slot : slots_) {
    void* memory = nullptr;
    check(cudaHostAlloc(&memory, kSlotBytes, cudaHostAllocDefault), "pinning host memory");
    slot.data = static_cast<std::byte*>(memory);
    check(cudaEventCreateWithFlags(&slot.sent, cudaEventDisableTiming), "creating an event");
  }
}

Uploader::~Uploader() {
  cudaStreamSynchronize(stream_);
  for (const Slot& slot : slots_) {
    if (slot.sent != nullptr) cudaEventDestroy(slot.sent);
    cudaFreeHost(slot.data);
  }
}

std::byte* Uploader::begin() {
  check(cudaEventSynchronize(slots_[next_].sent), "uploading");
  return slots_[next_].data;
}

void Uploader::send(void* device, std::size_t bytes) {
  const Slot& slot = slots_[next_];
  check(cudaMemcpyAsync(device, slot.data, bytes, cudaMemcpyHostToDevice, stream_), "uploading");
  check(cudaEventRecord(slot.sent, stream_), "uploading");
  next_ = (next_ + 1) % slots_.size();
}

void Uploader::copy(void* device, const void* host, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes;) {
    const std::size_t part = std::min(bytes - done, kSlotBytes);
    std::memcpy(begin(), static_cast<const std::byte*>(host) + done, part);
    send(static_cast<std::byte*>(device) + done, part);
    done += part;
  }
}

void Uploader::rows(void* device, std::int64_t rows, std::size_t row_bytes,
                    const std::function<void(std::byte* to, std::int64_t row)>& fill) {
  if (row_bytes > kSlotBytes)
    throw Error(ErrorCode::kBadModel, "a weight row of " + std::to_string(row_bytes) +
                                          " bytes is longer than an upload buffer");
  const auto rows_a_slot = static_cast<std::int64_t>(kSlotBytes / row_bytes);
  for (std::int64_t first = 0; first < rows; first += rows_a_slot) {
    const std::int64_t count = std::min(rows_a_slot, rows - first);
    std::byte* const slot = begin();
    for (std::int64_t i = 0; i < count; ++i)
      fill(slot + static_cast<std::size_t>(i) * row_bytes, first + i);
    send(static_cast<std::byte*>(device) + static_cast<std::size_t>(first) * row_bytes,
         static_cast<std::size_t>(count) * row_bytes);
  }
}

Scratch::~Scratch() { cudaFree(data_); }

std::byte* Scratch::take(std::size_t bytes) {
  if (bytes <= size_bytes_) return data_;
  check(cudaStreamSynchronize(stream_), "growing the workspace");
  cudaFree(data_);
  data_ = nullptr;
  size_bytes_ = 0;
  ++generation_;
  // Some room, so that it grows a few times and then never again.
  const std::size_t room = bytes + bytes / 4;
  void* memory = nullptr;
  if (cudaMalloc(&memory, room) != cudaSuccess) {
    cudaGetLastError();
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "asking for its free memory");
    throw Error(ErrorCode::kDevice,
                "the GPU has " + megabytes(free) + " of its " + megabytes(total) +
                    " free; an op's workspace needs " + megabytes(room + (1 << 20) - 1),
                "choose a smaller batch, context or cache");
  }
  data_ = static_cast<std::byte*>(memory);
  size_bytes_ = room;
  return data_;
}

}  // namespace moebench::cuda
