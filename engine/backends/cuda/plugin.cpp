#include "engine/backends/cuda/plugin.h"

#include <cuda_runtime.h>

#include <cstdio>
#include <exception>

#include "engine/backends/cuda/cuda_backend.h"
#include "engine/backends/cuda/cuda_error.h"

namespace moebench::cuda {
namespace {

void say(char* reason, std::size_t bytes, const char* text) {
  if (bytes > 0) std::snprintf(reason, bytes, "%s", text);
}

/// Runs `what`; an exception must not cross a C interface.
template <class T, class What>
T guarded(T failed, char* reason, std::size_t bytes, What what) noexcept {
  try {
    return what();
  } catch (const std::exception& error) {
    say(reason, bytes, error.what());
  } catch (...) {
    say(reason, bytes, "an unknown exception");
  }
  return failed;
}

int driver_version() {
  int version = 0;
  return cudaDriverGetVersion(&version) == cudaSuccess ? version : 0;
}

int count_devices(char* reason, std::size_t bytes) {
  return guarded(-1, reason, bytes, [] {
    int n = 0;
    check(cudaGetDeviceCount(&n), "counting the devices");
    return n;
  });
}

int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  return cudaDeviceGetAttribute(&value, which, device) == cudaSuccess ? value : 0;
}

int describe_device(int index, PluginDevice* device, char* reason, std::size_t bytes) {
  return guarded(0, reason, bytes, [&] {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, index), "asking for the device's properties");
    *device = {};
    std::snprintf(device->name, sizeof device->name, "%s", properties.name);
    check(cudaDeviceGetPCIBusId(device->pci_bus_id, sizeof device->pci_bus_id, index),
          "asking for the device's bus id");
    device->compute_capability = properties.major * 10 + properties.minor;
    device->n_multiprocessors = properties.multiProcessorCount;
    device->core_clock_mhz = attribute(cudaDevAttrClockRate, index) / 1000;
    device->memory_clock_mhz = attribute(cudaDevAttrMemoryClockRate, index) / 1000;
    device->memory_bus_bits = attribute(cudaDevAttrGlobalMemoryBusWidth, index);
    device->memory_bytes = properties.totalGlobalMem;
    return 1;
  });
}

int free_bytes(int index, std::uint64_t* bytes, char* reason, std::size_t reason_bytes) {
  return guarded(0, reason, reason_bytes, [&] {
    check(cudaSetDevice(index), "choosing the device");
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "asking for its free memory");
    *bytes = free;
    return 1;
  });
}

int pci_bus_id(int index, char* id, std::size_t bytes) {
  return bytes > 0 && cudaDeviceGetPCIBusId(id, static_cast<int>(bytes), index) == cudaSuccess;
}

Backend* create_backend(int index, DenseProducts dense, char* reason, std::size_t bytes) {
  return guarded(static_cast<Backend*>(nullptr), reason, bytes,
                 [&] { return make_cuda_backend(index, dense).release(); });
}

#ifdef MOEBENCH_CUDA_EMULATED
constexpr const char* kDescription = "emulated: no GPU, for tests";
constexpr int kNeedsDriver = 0, kCudaVersion = 0;
#else
constexpr const char* kDescription = "sm_80, sm_90a and PTX";
constexpr int kNeedsDriver = 1, kCudaVersion = CUDART_VERSION;
#endif
constexpr Plugin kPlugin = {kPluginVersion, MOEBENCH_CUDA_ABI, kDescription,  kNeedsDriver,
                            kCudaVersion,   driver_version,    count_devices, describe_device,
                            free_bytes,     pci_bus_id,        create_backend};

}  // namespace
}  // namespace moebench::cuda

extern "C" __attribute__((visibility("default"))) const moebench::cuda::Plugin*
moebench_cuda_plugin() {
  return &moebench::cuda::kPlugin;
}
