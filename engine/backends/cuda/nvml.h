#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace moebench::cuda {

/// What a GPU's own meters say now. NVML is loaded at run time; without it there are no readings.
struct GpuReading {
  std::optional<double> energy_joules;  ///< since the driver was loaded (Volta and newer)
  std::optional<double> power_watts;
  std::int64_t core_clock_mhz = 0, memory_clock_mhz = 0;
  std::int64_t temperature_celsius = 0;
  std::string throttled;  ///< why the clocks are below what was asked; empty: they aren't
};

/// The device at `pci_bus_id` ("0000:3b:00.0"); nothing where NVML can't be loaded or doesn't know
/// it. Takes about a tenth of a millisecond: not for the step loop. Thread-safe.
std::optional<GpuReading> nvml_read(const std::string& pci_bus_id);

/// "580.65.06"; empty without NVML.
std::string nvml_driver_version();

/// The names of NVML's clock event (throttle) reasons that lower clocks, comma-separated.
std::string throttle_text(std::uint64_t reasons);

}  // namespace moebench::cuda
