#include <charconv>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cuda/nvml.h"
#include "engine/backends/cuda/plugin_loader.h"
#include "engine/engine.h"
#include "engine/runtime/usable_cores.h"

namespace moebench {
namespace {

DeviceInfo device_of(const cuda::ListedDevice& listed) {
  const cuda::PluginDevice& gpu = listed.device;
  DeviceInfo info;
  info.device = "cuda:" + std::to_string(listed.index);
  info.description = gpu.name;
  info.isa = "sm_" + std::to_string(gpu.compute_capability);
  info.serves = gpu.compute_capability >= 80;
  info.runs = info.serves ? "all families and weight types that the CPU backend runs"
                          : "nothing: the kernels need sm_80 or newer";
  info.multiprocessors = gpu.n_multiprocessors;
  info.memory_bytes = static_cast<std::int64_t>(gpu.memory_bytes);
  info.free_memory_bytes = static_cast<std::int64_t>(listed.free_bytes);
  info.core_clock_mhz = gpu.core_clock_mhz;
  info.memory_clock_mhz = gpu.memory_clock_mhz;
  info.memory_bus_bits = gpu.memory_bus_bits;
  return info;
}

}  // namespace

std::optional<int> cuda_index(std::string_view device) {
  constexpr std::string_view kPrefix = "cuda:";
  if (!device.starts_with(kPrefix)) return std::nullopt;
  device.remove_prefix(kPrefix.size());
  int index = 0;
  const auto [end, error] = std::from_chars(device.data(), device.data() + device.size(), index);
  if (error != std::errc() || end != device.data() + device.size() || index < 0)
    return std::nullopt;
  return index;
}

DeviceList list_devices(bool with_free_memory) {
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

  const cuda::Inventory gpus = cuda::list_devices(with_free_memory);
  for (const cuda::ListedDevice& gpu : gpus.devices) list.devices.push_back(device_of(gpu));
  if (!gpus.description.empty())
    list.cuda_plugin = gpus.plugin_path + " (" + gpus.description + ")";
  list.cuda_driver = gpus.driver;
  list.cuda_unavailable = gpus.reason;
  return list;
}

std::optional<PowerReading> read_power(const std::string& device) {
  const std::optional<int> index = cuda_index(device);
  if (!index) return std::nullopt;
  const std::string bus_id = cuda::pci_bus_id(*index);
  const auto reading = bus_id.empty() ? std::nullopt : cuda::nvml_read(bus_id);
  if (!reading) return std::nullopt;
  return PowerReading{reading->energy_joules,       reading->power_watts,
                      reading->core_clock_mhz,      reading->memory_clock_mhz,
                      reading->temperature_celsius, reading->throttled};
}

}  // namespace moebench
