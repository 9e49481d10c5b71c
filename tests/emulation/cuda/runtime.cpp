// The emulated runtime: memory out of one address range, and one queue of work for all streams that
// moves only when the host waits.

#include <sys/mman.h>

#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/emulation/cuda/include/cuda_runtime.h"

struct EmulatedStream {
  EmulatedGraph* capturing = nullptr;
};
struct EmulatedEvent {
  std::uint64_t recorded = 0;  // the queue's length so far when it was recorded
};
struct EmulatedGraph {
  std::vector<std::function<std::string()>> work;
};

namespace cuda_emulation {
namespace {

constexpr std::size_t kAddressSpaceBytes = std::size_t{16} << 30;
constexpr std::size_t kAlignment = 512;  // what cudaMalloc gives; also room between allocations

std::recursive_mutex lock;  // of everything below
std::deque<std::function<std::string()>> queue;
std::uint64_t n_queued = 0, n_done = 0;
cudaError_t last_error = cudaSuccess;    // of a call, until it is asked for
cudaError_t sticky_error = cudaSuccess;  // a failed kernel ends the context
std::string failure;
std::size_t wanted_memory() {
  const char* const set = std::getenv("MOEBENCH_EMULATION_MEMORY_BYTES");
  return set != nullptr ? std::strtoull(set, nullptr, 10) : std::size_t{8} << 30;
}
std::size_t memory_limit = wanted_memory();
std::size_t used = 0;
std::map<std::size_t, std::size_t> blocks;  // begin -> bytes
std::map<std::size_t, std::size_t> free_ranges;

std::size_t rounded(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment + kAlignment;
}

void set_up_memory() {
  if (device_memory.begin != nullptr) return;
  const auto reserve = [](std::size_t bytes) {
    void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    return memory;
  };
  device_memory.begin = static_cast<std::byte*>(reserve(kAddressSpaceBytes));
  device_memory.end = device_memory.begin + kAddressSpaceBytes;
  device_memory.valid = static_cast<std::uint8_t*>(reserve(kAddressSpaceBytes / 8));
  free_ranges[0] = kAddressSpaceBytes;
}

void mark(std::size_t begin, std::size_t bytes, bool valid) {
  std::uint8_t* const marks = device_memory.valid + begin / 8;
  std::memset(marks, valid ? 8 : 0, (bytes + 7) / 8);
  if (valid && bytes % 8 != 0) marks[bytes / 8] = static_cast<std::uint8_t>(bytes % 8);
}

cudaError_t allocate(void** pointer, std::size_t bytes) {
  set_up_memory();
  *pointer = nullptr;
  if (bytes == 0) return cudaSuccess;
  const std::size_t need = rounded(bytes);
  if (used + need > memory_limit) return cudaErrorMemoryAllocation;
  for (auto range = free_ranges.begin(); range != free_ranges.end(); ++range) {
    if (range->second < need) continue;
    const auto [begin, size] = *range;
    free_ranges.erase(range);
    if (size > need) free_ranges[begin + need] = size - need;
    blocks[begin] = bytes;
    used += need;
    mark(begin, bytes, true);
    // Not zero: NaN as F32, F16 and BF16.
    std::memset(device_memory.begin + begin, 0xff, bytes);
    *pointer = device_memory.begin + begin;
    return cudaSuccess;
  }
  return cudaErrorMemoryAllocation;
}

cudaError_t release(void* pointer) {
  if (pointer == nullptr) return cudaSuccess;
  const auto begin =
      static_cast<std::size_t>(static_cast<std::byte*>(pointer) - device_memory.begin);
  const auto block = blocks.find(begin);
  if (block == blocks.end()) return cudaErrorInvalidValue;
  mark(begin, block->second, false);
  const std::size_t size = rounded(block->second);
  used -= size;
  blocks.erase(block);
  auto range = free_ranges.emplace(begin, size).first;
  if (const auto next = std::next(range);
      next != free_ranges.end() && range->first + range->second == next->first) {
    range->second += next->second;
    free_ranges.erase(next);
  }
  if (range != free_ranges.begin()) {
    const auto before = std::prev(range);
    if (before->first + before->second == range->first) {
      before->second += range->second;
      free_ranges.erase(range);
    }
  }
  return cudaSuccess;
}

cudaError_t answer(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}

/// Runs the queue up to the `until`-th piece of work.
cudaError_t drain(std::uint64_t until) {
  while (n_done < until && !queue.empty()) {
    const std::function<std::string()> work = std::move(queue.front());
    queue.pop_front();
    ++n_done;
    if (sticky_error != cudaSuccess) continue;
    if (std::string error = work(); !error.empty()) {
      failure = std::move(error);
      sticky_error = cudaErrorLaunchFailure;
    }
  }
  return answer(sticky_error);
}

/// Whether all of it lies in allocated device memory.
bool is_device(const void* pointer, std::size_t bytes) {
  const auto* const p = static_cast<const std::byte*>(pointer);
  if (p < device_memory.begin || p + bytes > device_memory.end) return false;
  const auto at = static_cast<std::size_t>(p - device_memory.begin);
  auto block = blocks.upper_bound(at);
  if (block == blocks.begin()) return false;
  --block;
  return at + bytes <= block->first + block->second;
}

}  // namespace

void enqueue(cudaStream_t stream, std::function<std::string()> work) {
  const std::lock_guard guard(lock);
  if (stream != nullptr && stream->capturing != nullptr) {
    stream->capturing->work.push_back(std::move(work));
    return;
  }
  queue.push_back(std::move(work));
  ++n_queued;
}

void enqueue_kernel(dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream,
                    std::function<void()> thread_body) {
  const std::lock_guard guard(lock);
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  if (threads == 0 || threads > kMaxBlockThreads || block.z > 64 || grid.x == 0 || grid.y == 0 ||
      grid.z == 0 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535 ||
      shared_bytes > kMaxSharedBytes) {
    answer(cudaErrorInvalidConfiguration);
    return;
  }
  const Launch launch{{grid.x, grid.y, grid.z}, {block.x, block.y, block.z}, shared_bytes};
  enqueue(stream, [launch, body = std::move(thread_body)] { return run_kernel(launch, body); });
}

void set_device_memory_bytes(std::size_t bytes) {
  const std::lock_guard guard(lock);
  memory_limit = bytes;
}

std::size_t allocated_bytes() {
  const std::lock_guard guard(lock);
  return used;
}

void forget_failure() {
  const std::lock_guard guard(lock);
  sticky_error = last_error = cudaSuccess;
  failure.clear();
}

}  // namespace cuda_emulation

using namespace cuda_emulation;

cudaError_t cudaGetLastError() {
  const std::lock_guard guard(lock);
  return std::exchange(last_error, cudaSuccess);
}
const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration:
      return "cudaErrorInvalidConfiguration";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorNotReady:
      return "cudaErrorNotReady";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
  }
  return "unknown error";
}
const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorLaunchFailure ? failure.c_str() : cudaGetErrorName(error);
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  return answer(device == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return answer(cudaErrorInvalidDevice);
  *properties = {};
  std::strcpy(properties->name, "emulated GPU");
  properties->totalGlobalMem = memory_limit;
  properties->sharedMemPerBlockOptin = kMaxSharedBytes;
  properties->major = 9;
  properties->multiProcessorCount = 4;
  properties->memoryBusWidth = 64;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (device != 0) return answer(cudaErrorInvalidDevice);
  switch (attribute) {
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = kMaxSharedBytes;
      break;
    case cudaDevAttrMultiProcessorCount:
      *value = 4;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = 9;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = 0;
      break;
    default:
      *value = 0;
  }
  return cudaSuccess;
}
cudaError_t cudaDeviceGetPCIBusId(char* id, int length, int device) {
  if (device != 0) return answer(cudaErrorInvalidDevice);
  std::snprintf(id, static_cast<std::size_t>(length), "0000:e0:00.0");  // no real bus has it
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = 0;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 0;
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  const std::lock_guard guard(lock);
  *total = memory_limit;
  *free = memory_limit > used ? memory_limit - used : 0;
  return cudaSuccess;
}
cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
  const std::lock_guard guard(lock);
  return answer(allocate(pointer, bytes));
}
cudaError_t cudaFree(void* pointer) {
  const std::lock_guard guard(lock);
  drain(n_queued);
  return answer(release(pointer));
}
cudaError_t cudaMallocAsync(void** pointer, std::size_t bytes, cudaStream_t) {
  return cudaMalloc(pointer, bytes);
}
cudaError_t cudaFreeAsync(void* pointer, cudaStream_t stream) {
  enqueue(stream, [pointer]() -> std::string {
    return release(pointer) == cudaSuccess ? "" : "cudaFreeAsync of memory that isn't allocated";
  });
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** pointer, std::size_t bytes, unsigned) {
  *pointer = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  return answer(*pointer != nullptr ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaFreeHost(void* pointer) {
  const std::lock_guard guard(lock);
  drain(n_queued);
  std::free(pointer);
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* pointer, int value, std::size_t bytes, cudaStream_t stream) {
  enqueue(stream, [=]() -> std::string {
    if (!is_device(pointer, bytes)) return "cudaMemsetAsync outside of any allocation";
    std::memset(pointer, value, bytes);
    return "";
  });
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  enqueue(stream, [=]() -> std::string {
    const bool to_device = kind != cudaMemcpyDeviceToHost;
    const bool from_device = kind != cudaMemcpyHostToDevice;
    if ((to_device && !is_device(to, bytes)) || (from_device && !is_device(from, bytes)))
      return "cudaMemcpyAsync outside of any allocation";
    if (!to_device && is_device(to, 1)) return "cudaMemcpyAsync to the host got device memory";
    if (!from_device && is_device(from, 1))
      return "cudaMemcpyAsync from the host got device memory";
    std::memmove(to, from, bytes);
    return "";
  });
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new EmulatedStream;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard guard(lock);
  drain(n_queued);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  const std::lock_guard guard(lock);
  return drain(n_queued);
}
cudaError_t cudaDeviceSynchronize() { return cudaStreamSynchronize(nullptr); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new EmulatedEvent;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  const std::lock_guard guard(lock);
  event->recorded = n_queued;
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const std::lock_guard guard(lock);
  return drain(event->recorded);
}
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) {
  return cudaSuccess;  // the one queue is in order
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (stream->capturing != nullptr) return answer(cudaErrorInvalidValue);
  stream->capturing = new EmulatedGraph;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = std::exchange(stream->capturing, nullptr);
  return answer(*graph != nullptr ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new EmulatedGraph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  for (const auto& work : exec->work) enqueue(stream, work);
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
