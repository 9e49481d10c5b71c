#pragma once

#include <cstddef>
#include <cstdint>

namespace moebench {
class Backend;
}

namespace moebench::cuda {

// What libmoebench_cuda.so and the program say to each other. The program knows nothing else of
// CUDA; a plugin of another build is refused before any of its code but moebench_cuda_plugin runs.

inline constexpr std::uint32_t kPluginVersion = 3;

/// Who makes the dense products of F16 and BF16 weights. The bits differ.
enum class DenseProducts : int { kOwn, kCublasLt };

/// One device. Zero where the driver does not tell.
struct PluginDevice {
  char name[256];
  char pci_bus_id[32];
  int compute_capability;  ///< 90: sm_90
  int n_multiprocessors;
  int core_clock_mhz, memory_clock_mhz;  ///< the highest
  int memory_bus_bits;
  std::uint64_t memory_bytes;
};

struct Plugin {
  std::uint32_t version;    ///< kPluginVersion; the rest is valid only where it is the program's
  const char* abi;          ///< hash of the headers and the compiler that both sides share
  const char* description;  ///< "CUDA 13.0, sm_80, sm_90a and PTX"
  int needs_driver;         ///< 0: the emulated device of the tests
  int cuda_version;         ///< of the toolkit, 13000
  int (*driver_version)();  ///< the newest CUDA that the driver serves, 13000; 0: no driver
  // Each of these writes why it failed (cut to reason_bytes, terminated).
  int (*count_devices)(char* reason, std::size_t reason_bytes);  ///< -1: failed
  int (*describe_device)(int index, PluginDevice* device, char* reason,
                         std::size_t reason_bytes);  ///< 0: failed
  /// Makes a context on the device, which takes a few hundred MB of its memory. 0: failed.
  int (*free_bytes)(int index, std::uint64_t* bytes, char* reason, std::size_t reason_bytes);
  /// Like "0000:3b:00.0"; 0: failed.
  int (*pci_bus_id)(int index, char* id, std::size_t id_bytes);
  /// The caller owns the result; null: failed. Ops of the backend throw moebench::Error.
  Backend* (*create_backend)(int index, DenseProducts dense, char* reason,
                             std::size_t reason_bytes);
};

inline constexpr const char* kPluginSymbol = "moebench_cuda_plugin";
using PluginEntry = const Plugin* (*)();

}  // namespace moebench::cuda
