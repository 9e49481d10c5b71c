
#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cuda/nvml.h"
#include "engine/backends/cuda/plugin_loader.h"
#include "engine/engine.h"
#include "engine/runtime/usable_cores.h"

namespace moebench {
namespace {

DeviceInfo device_of(const cuda::PluginDevice& gpu, std::size_t index) {
  DeviceInfo info;
  info.device = "cuda:" + std::to_string(index);
  info.description = gpu.name;
  info.isa = "sm_" + std::to_string(gpu.compute_capability);
  info.runs = gpu.compute_capability >= 80
                  ? "all families and weight types that the CPU backend runs"
                  : "nothing: the kernels need sm_80 or newer";
  info.multiprocessors = gpu.n_multiprocessors;
  info.memory_bytes = static_cast<std::int64_t>(gpu.memory_bytes);
  info.free_memory_bytes = static_cast<std::int64_t>(gpu.free_bytes);
  info.core_clock_mhz = gpu.core_clock_mhz;
  info.memory_clock_mhz = gpu.memory_clock_mhz;
  info.memory_bus_bits = gpu.memory_bus_bits;
  return info;
}

}  // namespace

DeviceList list_devices() {
  DeviceList list;
  const BackendInfo cpu = make_cpu_backend(1)->info();
  DeviceInfo info;
  info.device = "cpu";
  info.description = std::to_string(usable_cores()) + " cores";
  info.isa = cpu.isa;
  info.runs = "all families; weights in f32, f16, bf16, fp8 and the GGUF block types";
  list.devices.push_back(info);
  info.device = "reference";
  info.description = "plain scalar loops, the oracle of the tests";
  info.isa = "scalar";
  list.devices.push_back(info);

  const cuda::Inventory gpus = cuda::list_devices();
  for (std::size_t i = 0; i < gpus.devices.size(); ++i)
    list.devices.push_back(device_of(gpus.devices[i], i));
  if (!gpus.description.empty())
    list.cuda_plugin = gpus.plugin_path + " (" + gpus.description + ")";
  list.cuda_driver = gpus.driver;
  list.cuda_unavailable = gpus.reason;
  return list;
}

std::optional<PowerReading> read_power(const std::string& device) {
  const cuda::Inventory gpus = cuda::list_devices();
  for (std::size_t i = 0; i < gpus.devices.size(); ++i) {
    if (device != "cuda:" + std::to_string(i)) continue;
    const auto reading = cuda::nvml_read(gpus.devices[i].pci_bus_id);
    if (!reading) return std::nullopt;
    return PowerReading{reading->energy_joules,       reading->power_watts,
                        reading->core_clock_mhz,      reading->memory_clock_mhz,
                        reading->temperature_celsius, reading->throttled};
  }
  return std::nullopt;
}

}  // namespace moebench
