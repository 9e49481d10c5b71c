#include "engine/backends/cuda/nvml.h"

#include <dlfcn.h>

#include <utility>

namespace moebench::cuda {
namespace {

// NVML's interface as its reference documents it (nvmlReturn_t 0 is success); declared here because
// the program is built without NVIDIA's headers.
using Device = struct nvmlDevice_st*;

struct Library {
  int (*init)() = nullptr;
  int (*driver_version)(char*, unsigned) = nullptr;
  int (*by_bus_id)(const char*, Device*) = nullptr;
  int (*energy_millijoules)(Device, unsigned long long*) = nullptr;
  int (*power_milliwatts)(Device, unsigned*) = nullptr;
  int (*clock_mhz)(Device, int, unsigned*) = nullptr;
  int (*temperature)(Device, int, unsigned*) = nullptr;
  int (*throttle_reasons)(Device, unsigned long long*) = nullptr;
  bool usable = false;
};

constexpr int kSuccess = 0, kClockSm = 1, kClockMemory = 2, kTemperatureGpu = 0;

Library load() {
  Library nvml;
  void* const library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return nvml;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
  };
  find(nvml.init, "nvmlInit_v2");
  find(nvml.driver_version, "nvmlSystemGetDriverVersion");
  find(nvml.by_bus_id, "nvmlDeviceGetHandleByPciBusId_v2");
  find(nvml.energy_millijoules, "nvmlDeviceGetTotalEnergyConsumption");
  find(nvml.power_milliwatts, "nvmlDeviceGetPowerUsage");
  find(nvml.clock_mhz, "nvmlDeviceGetClockInfo");
  find(nvml.temperature, "nvmlDeviceGetTemperature");
  find(nvml.throttle_reasons, "nvmlDeviceGetCurrentClocksThrottleReasons");
  nvml.usable = nvml.init != nullptr && nvml.by_bus_id != nullptr && nvml.init() == kSuccess;
  return nvml;
}

const Library& library() {
  static const Library once = load();
  return once;
}

}  // namespace

std::string throttle_text(std::uint64_t reasons) {
  // nvmlClocksEventReason*; idle (1) and clocks asked for by the user (2) are no throttling.
  static constexpr std::pair<std::uint64_t, const char*> kReasons[] = {
      {0x04, "power cap"},        {0x08, "hardware slowdown"}, {0x10, "sync boost"},
      {0x20, "software thermal"}, {0x40, "hardware thermal"},  {0x80, "power brake"}};
  std::string text;
  for (const auto& [bit, name] : kReasons)
    if ((reasons & bit) != 0) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

std::string nvml_driver_version() {
  const Library& nvml = library();
  char version[96] = "";
  if (!nvml.usable || nvml.driver_version == nullptr ||
      nvml.driver_version(version, sizeof version) != kSuccess)
    return {};
  return version;
}

std::optional<GpuReading> nvml_read(const std::string& pci_bus_id) {
  const Library& nvml = library();
  Device device = nullptr;
  if (!nvml.usable || nvml.by_bus_id(pci_bus_id.c_str(), &device) != kSuccess) return std::nullopt;
  GpuReading reading;
  unsigned long long wide = 0;
  unsigned value = 0;
  if (nvml.energy_millijoules != nullptr && nvml.energy_millijoules(device, &wide) == kSuccess)
    reading.energy_joules = static_cast<double>(wide) / 1e3;
  if (nvml.power_milliwatts != nullptr && nvml.power_milliwatts(device, &value) == kSuccess)
    reading.power_watts = static_cast<double>(value) / 1e3;
  if (nvml.clock_mhz != nullptr) {
    if (nvml.clock_mhz(device, kClockSm, &value) == kSuccess) reading.core_clock_mhz = value;
    if (nvml.clock_mhz(device, kClockMemory, &value) == kSuccess) reading.memory_clock_mhz = value;
  }
  if (nvml.temperature != nullptr && nvml.temperature(device, kTemperatureGpu, &value) == kSuccess)
    reading.temperature_celsius = value;
  if (nvml.throttle_reasons != nullptr && nvml.throttle_reasons(device, &wide) == kSuccess)
    reading.throttled = throttle_text(wide);
  return reading;
}

}  // namespace moebench::cuda
