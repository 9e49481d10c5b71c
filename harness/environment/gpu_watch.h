#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "harness/environment/energy.h"

namespace moebench {

/// The GPUs that `engine` runs on ("cuda:1" and 2 devices: cuda:1, cuda:2); none for a CPU.
std::vector<std::string> gpus_of(const EngineRecord& engine);

/// A GPU in words for the record: name, multiprocessors, memory, highest clocks, driver.
std::vector<std::string> describe_gpus(const std::vector<std::string>& devices);

/// The host's meters (RAPL) and those of the GPUs (NVML), with a note for each kind that is
/// missing.
EnergySources find_energy_sources(const std::vector<std::string>& gpus);

/// Asks GPUs for clocks, temperature and throttling, from its making to the last look.
class GpuWatch {
 public:
  using Read = std::function<std::optional<PowerReading>(const std::string& device)>;
  explicit GpuWatch(const std::vector<std::string>& devices, Read read = read_power);

  /// Asks again when a second has passed since; an answer takes about a tenth of a millisecond.
  void poll();
  /// Asks now. What there is so far; devices that don't answer are left out.
  const std::vector<GpuClocks>& look();

 private:
  Read read_;
  std::vector<GpuClocks> clocks_;
  std::chrono::steady_clock::time_point last_look_;
};

/// A warning for each GPU that was held down; none where none was.
std::vector<std::string> throttle_warnings(const std::vector<GpuClocks>& gpus);

}  // namespace moebench
