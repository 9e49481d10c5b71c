#include "harness/environment/gpu_watch.h"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>

namespace moebench {
namespace {

class NvmlSource final : public EnergySource {
 public:
  explicit NvmlSource(std::string device) : device_(std::move(device)) {}
  std::string meter() const override { return "nvml:" + device_; }
  std::optional<double> joules() override {
    const std::optional<PowerReading> reading = read_power(device_);
    return reading ? reading->energy_joules : std::nullopt;
  }

 private:
  std::string device_;
};

/// "power cap, hardware thermal" -> its parts, each once.
void add_reasons(std::vector<std::string>& seen, std::string_view text) {
  constexpr std::string_view kBetween = ", ";
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(kBetween), text.size());
    const std::string reason(text.substr(0, end));
    if (std::find(seen.begin(), seen.end(), reason) == seen.end()) seen.push_back(reason);
    text.remove_prefix(std::min(end + kBetween.size(), text.size()));
  }
}

}  // namespace

std::vector<std::string> gpus_of(const EngineRecord& engine) {
  std::vector<std::string> devices;
  const std::optional<int> first = cuda_index(engine.device);
  for (std::int64_t i = 0; first && i < engine.devices; ++i)
    devices.push_back("cuda:" + std::to_string(*first + i));
  return devices;
}

std::vector<std::string> describe_gpus(const std::vector<std::string>& devices) {
  std::vector<std::string> words;
  if (devices.empty()) return words;
  const DeviceList list = list_devices(false);
  for (const DeviceInfo& d : list.devices) {
    if (std::find(devices.begin(), devices.end(), d.device) == devices.end()) continue;
    char size[32];
    std::snprintf(size, sizeof size, "%.1f GB", static_cast<double>(d.memory_bytes) / 1e9);
    std::string text = d.device + ": " + d.description + " (" + d.isa + ", " +
                       std::to_string(d.multiprocessors) + " multiprocessors, " + size;
    if (d.core_clock_mhz > 0)
      text += ", up to " + std::to_string(d.core_clock_mhz) + " MHz core and " +
              std::to_string(d.memory_clock_mhz) + " MHz memory";
    text += ")";
    if (!list.cuda_driver.empty()) text += ", driver " + list.cuda_driver;
    words.push_back(std::move(text));
  }
  return words;
}

EnergySources find_energy_sources(const std::vector<std::string>& gpus) {
  EnergySources found = find_rapl_sources();
  if (gpus.empty()) return found;
  if (!found.why_none.empty()) found.why_none = "Host: " + found.why_none;
  for (const std::string& device : gpus) {
    auto source = std::make_unique<NvmlSource>(device);
    if (source->joules()) {
      found.sources.push_back(std::move(source));
      continue;
    }
    found.why_none += (found.why_none.empty() ? "" : " ") + device +
                      ": Energy is not known: NVML (libnvidia-ml.so.1) doesn't tell it.";
  }
  return found;
}

GpuWatch::GpuWatch(const std::vector<std::string>& devices, Read read) : read_(std::move(read)) {
  for (const std::string& device : devices) {
    const std::optional<PowerReading> now = read_(device);
    if (!now) continue;
    GpuClocks clocks;
    clocks.device = device;
    clocks.core_mhz_before = now->core_clock_mhz;
    clocks.memory_mhz_before = now->memory_clock_mhz;
    clocks.celsius_before = now->temperature_celsius;
    clocks_.push_back(std::move(clocks));
  }
  look();
}

void GpuWatch::poll() {
  if (std::chrono::steady_clock::now() - last_look_ >= std::chrono::seconds(1)) look();
}

const std::vector<GpuClocks>& GpuWatch::look() {
  last_look_ = std::chrono::steady_clock::now();
  for (GpuClocks& clocks : clocks_) {
    const std::optional<PowerReading> now = read_(clocks.device);
    if (!now) continue;
    clocks.core_mhz_after = now->core_clock_mhz;
    clocks.memory_mhz_after = now->memory_clock_mhz;
    clocks.celsius_after = now->temperature_celsius;
    ++clocks.readings;
    if (now->throttled.empty()) continue;
    ++clocks.throttled_readings;
    add_reasons(clocks.throttled, now->throttled);
  }
  return clocks_;
}

std::vector<std::string> throttle_warnings(const std::vector<GpuClocks>& gpus) {
  std::vector<std::string> warnings;
  for (const GpuClocks& gpu : gpus) {
    if (gpu.throttled_readings == 0) continue;
    std::string reasons;
    for (const std::string& reason : gpu.throttled)
      reasons += (reasons.empty() ? "" : ", ") + reason;
    warnings.push_back(gpu.device + " was throttled (" + reasons + ") in " +
                       std::to_string(gpu.throttled_readings) + " of " +
                       std::to_string(gpu.readings) + " readings; its core ran at " +
                       std::to_string(gpu.core_mhz_before) + " MHz before and " +
                       std::to_string(gpu.core_mhz_after) + " MHz after");
  }
  return warnings;
}

}  // namespace moebench
