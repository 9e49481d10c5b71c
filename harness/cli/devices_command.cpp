#include <CLI/CLI.hpp>
#include <cinttypes>
#include <cstdio>
#include <memory>

#include "engine/engine.h"
#include "harness/cli/commands.h"

namespace moebench {
namespace {

void print_gpu(const DeviceInfo& d) {
  std::printf("           %" PRId64 " multiprocessors, %.1f GB memory (%.1f GB free)",
              d.multiprocessors, static_cast<double>(d.memory_bytes) / 1e9,
              static_cast<double>(d.free_memory_bytes) / 1e9);
  if (d.core_clock_mhz > 0)
    std::printf(", up to %" PRId64 " MHz core, %" PRId64 " MHz memory", d.core_clock_mhz,
                d.memory_clock_mhz);
  if (d.memory_bus_bits > 0) std::printf(", %" PRId64 "-bit bus", d.memory_bus_bits);
  std::printf("\n");
  if (const auto power = read_power(d.device)) {
    std::printf("           now %" PRId64 " MHz core, %" PRId64 " MHz memory, %" PRId64 " C",
                power->core_clock_mhz, power->memory_clock_mhz, power->temperature_celsius);
    if (power->power_watts) std::printf(", %.0f W", *power->power_watts);
    if (!power->throttled.empty()) std::printf(", throttled: %s", power->throttled.c_str());
    std::printf("\n");
  }
}

ExitCode list(bool need_cuda) {
  const DeviceList list = list_devices();
  bool cuda = false;
  for (const DeviceInfo& d : list.devices) {
    std::printf("%-10s %s (%s)\n", d.device.c_str(), d.description.c_str(), d.isa.c_str());
    if (d.memory_bytes > 0) print_gpu(d);
    std::printf("           runs %s\n", d.runs.c_str());
    cuda = cuda || (d.device.starts_with("cuda:") && d.serves);
  }
  if (!list.cuda_plugin.empty()) std::printf("CUDA plugin %s\n", list.cuda_plugin.c_str());
  if (!list.cuda_driver.empty()) std::printf("CUDA driver %s\n", list.cuda_driver.c_str());
  if (!list.cuda_unavailable.empty())
    std::printf("%s     %s\n", cuda ? "note " : "cuda ", list.cuda_unavailable.c_str());
  return need_cuda && !cuda ? ExitCode::kUsage : ExitCode::kHolds;
}

}  // namespace

void add_devices_command(CLI::App& app, Action& chosen) {
  auto need_cuda = std::make_shared<bool>(false);
  CLI::App* sub = app.add_subcommand(
      "devices", "The devices that --device can name, what each can run, or why it can't");
  sub->footer(R"(Examples:
  moebench devices
  moebench devices --need-cuda || echo 'no GPU can serve'
  moebench run --device cuda:0 --model ./model.gguf --tasks gsm8k-mini)");
  sub->add_flag("--need-cuda", *need_cuda, "Exit with 2 when no CUDA device can serve");
  sub->callback([need_cuda, &chosen] { chosen = [need_cuda] { return list(*need_cuda); }; });
}

}  // namespace moebench
