#include "engine/backends/cuda/plugin_loader.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>

#include "engine/backends/cuda/nvml.h"
#include "engine/base/error.h"

namespace moebench::cuda {
namespace {

struct Loaded {
  const Plugin* plugin = nullptr;
  std::string path, reason;
};

std::string last_error() {
  const char* const text = dlerror();
  return text != nullptr ? text : "unknown error";
}

std::string plugin_path() {
  if (const char* const named = std::getenv("MOEBENCH_CUDA_PLUGIN"); named != nullptr) return named;
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return (program.parent_path() / "libmoebench_cuda.so").string();
}

Loaded load() {
  Loaded loaded;
  loaded.path = plugin_path();
  std::error_code error;
  if (!std::filesystem::exists(loaded.path, error)) {
    loaded.reason = "no CUDA plugin: " + loaded.path + " is not there (it is built where nvcc is)";
    return loaded;
  }
  void* const library = dlopen(loaded.path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    loaded.reason = "the CUDA plugin cannot be loaded: " + last_error();
    return loaded;
  }
  const auto entry = reinterpret_cast<PluginEntry>(dlsym(library, kPluginSymbol));
  if (entry == nullptr) {
    loaded.reason = loaded.path + " is no CUDA plugin: " + last_error();
    return loaded;
  }
  const Plugin* const plugin = entry();
  if (plugin->version != kPluginVersion) {
    loaded.reason = loaded.path + " is interface version " + std::to_string(plugin->version) +
                    ", this program needs " + std::to_string(kPluginVersion) +
                    "; build both together";
    return loaded;
  }
  if (std::string(plugin->abi) != MOEBENCH_CUDA_ABI) {
    loaded.reason = loaded.path + " belongs to another build of this program; build both together";
    return loaded;
  }
  if (plugin->needs_driver != 0 && dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL) == nullptr) {
    loaded.reason = "no driver: libcuda.so.1 not found";
    return loaded;
  }
  loaded.plugin = plugin;
  return loaded;
}

const Loaded& loaded() {
  static const Loaded once = load();
  return once;
}

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

Inventory list_devices(bool with_free_memory) {
  const Loaded& found = loaded();
  Inventory inventory{found.reason, found.path, {}, {}, {}};
  if (found.plugin == nullptr) return inventory;
  inventory.description = found.plugin->description;
  if (found.plugin->cuda_version > 0)
    inventory.description =
        "CUDA " + version_text(found.plugin->cuda_version) + ", " + inventory.description;
  if (const int version = found.plugin->driver_version(); version > 0) {
    inventory.driver = "CUDA " + version_text(version);
    if (const std::string name = nvml_driver_version(); !name.empty())
      inventory.driver = name + " (" + inventory.driver + ")";
  }
  char reason[512] = "";
  const int n = found.plugin->count_devices(reason, sizeof reason);
  if (n <= 0) inventory.reason = n < 0 ? reason : "the driver sees no device";
  for (int i = 0; i < n; ++i) {
    ListedDevice listed{i, {}, 0};
    const bool described =
        found.plugin->describe_device(i, &listed.device, reason, sizeof reason) != 0 &&
        (!with_free_memory ||
         found.plugin->free_bytes(i, &listed.free_bytes, reason, sizeof reason) != 0);
    if (described) {
      inventory.devices.push_back(listed);
      continue;
    }
    inventory.reason +=
        (inventory.reason.empty() ? "cuda:" : "; cuda:") + std::to_string(i) + ": " + reason;
  }
  return inventory;
}

std::string pci_bus_id(int index) {
  const Loaded& found = loaded();
  char id[32] = "";
  if (found.plugin == nullptr || found.plugin->pci_bus_id(index, id, sizeof id) == 0) return {};
  return id;
}

std::unique_ptr<Backend> load_backend(int index, DenseProducts dense) {
  const Loaded& found = loaded();
  const std::string device = "cuda:" + std::to_string(index);
  if (found.plugin == nullptr)
    throw Error(ErrorCode::kUsage, device + " cannot serve: " + found.reason,
                "moebench devices tells what there is; --device cpu needs no GPU");
  char reason[512] = "";
  Backend* const backend = found.plugin->create_backend(index, dense, reason, sizeof reason);
  if (backend == nullptr)
    throw Error(ErrorCode::kUsage, device + " cannot serve: " + reason,
                "moebench devices tells what there is; --device cpu needs no GPU");
  return std::unique_ptr<Backend>(backend);
}

}  // namespace moebench::cuda
