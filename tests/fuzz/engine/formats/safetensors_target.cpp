#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/base/error.h"
#include "engine/formats/checkpoint.h"

/// One safetensors file; the same promise as for GGUF.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace moebench;
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  try {
    const Checkpoint checkpoint =
        open_safetensors(ModelFiles::from_memory({{"model.safetensors", bytes}}, "fuzz"));
    for (const auto& [name, tensor] : checkpoint.tensors()) {
      const std::byte* end = tensor.view.data + tensor.view.size_bytes();
      if (tensor.view.data < bytes.data() || end > bytes.data() + bytes.size()) __builtin_trap();
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kBadModel) __builtin_trap();
  }
  return 0;
}
