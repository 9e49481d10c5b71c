#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/backends/backend.h"
#include "engine/backends/cuda/plugin.h"

namespace moebench::cuda {

// The program's side of the plugin: no CUDA header, no CUDA library. The plugin is
// $MOEBENCH_CUDA_PLUGIN, else libmoebench_cuda.so beside the program. Loaded at the first call and
// kept; thread-safe.

struct ListedDevice {
  int index;
  PluginDevice device;
  std::uint64_t free_bytes;  ///< 0 where it wasn't asked for
};

struct Inventory {
  std::string reason;                 ///< why no device can serve; empty where one can
  std::string plugin_path;            ///< where it was looked for
  std::string description;            ///< of the plugin, where it was loaded
  std::string driver;                 ///< "580.65.06 (CUDA 13.0)", where there is one
  std::vector<ListedDevice> devices;  ///< those that could be asked
};

/// What there is. Never throws for what is missing: that is in `reason`. Asking for the free memory
/// makes a context on each device.
Inventory list_devices(bool with_free_memory);

/// Where device `index` sits ("0000:3b:00.0"), for NVML; empty where no device answers. Makes no
/// context on the device.
std::string pci_bus_id(int index);

/// Throws Error(kUsage) with the reason when it can't serve.
std::unique_ptr<Backend> load_backend(int index, DenseProducts dense = DenseProducts::kOwn);

}  // namespace moebench::cuda
