// A CUDA plugin that can't serve. $STUB_PLUGIN says why: version, abi, driver, none, count,
// describe, create. For devices_test.py.

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "engine/backends/cuda/plugin.h"

namespace moebench::cuda {
namespace {

bool asked_for(std::string_view why) {
  const char* const named = std::getenv("STUB_PLUGIN");
  return named != nullptr && why == named;
}

void say(char* reason, std::size_t bytes, const char* text) {
  std::snprintf(reason, bytes, "%s", text);
}

int driver_version() { return 12080; }
int count_devices(char* reason, std::size_t bytes) {
  if (asked_for("count")) {
    say(reason, bytes, "the driver is older than the plugin's CUDA");
    return -1;
  }
  return asked_for("none") ? 0 : 2;
}
int describe_device(int index, PluginDevice* device, char* reason, std::size_t bytes) {
  if (asked_for("describe") && index == 0) {
    say(reason, bytes, "the device fell off the bus");
    return 0;
  }
  *device = {};
  std::snprintf(device->name, sizeof device->name, "stub GPU %d", index);
  device->compute_capability = index == 0 ? 90 : 75;
  device->n_multiprocessors = 132;
  device->core_clock_mhz = 1980;
  device->memory_clock_mhz = 2619;
  device->memory_bus_bits = 5120;
  device->memory_bytes = 85'000'000'000;
  return 1;
}
int free_bytes(int, std::uint64_t* bytes, char*, std::size_t) {
  *bytes = 84'000'000'000;
  return 1;
}
int pci_bus_id(int, char*, std::size_t) { return 0; }
Backend* create_backend(int, DenseProducts, char* reason, std::size_t bytes) {
  say(reason, bytes, "stub GPU 1 has compute capability 7.5; the CUDA backend needs 8.0 or newer");
  return nullptr;
}

}  // namespace
}  // namespace moebench::cuda

extern "C" __attribute__((visibility("default"))) const moebench::cuda::Plugin*
moebench_cuda_plugin() {
  using namespace moebench::cuda;
  static const Plugin plugin = {asked_for("version") ? kPluginVersion + 1 : kPluginVersion,
                                asked_for("abi") ? "another" : MOEBENCH_CUDA_ABI,
                                "a stub",
                                asked_for("driver"),
                                13000,
                                driver_version,
                                count_devices,
                                describe_device,
                                free_bytes,
                                pci_bus_id,
                                create_backend};
  return &plugin;
}
