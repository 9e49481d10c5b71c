#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/base/error.h"
#include "engine/model/model_source.h"

/// A whole GGUF file: header, metadata, tensor list, and the configuration made of them. Whatever
/// the bytes, the outcome is a model or an Error(kBadModel), and every view lies inside the file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace moebench;
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  const auto files = ModelFiles::from_memory({{"model.gguf", bytes}}, "fuzz");
  try {
    const ModelSource source = open_model(files);
    for (const auto& [name, tensor] : source.checkpoint.tensors()) {
      const std::byte* end = tensor.view.data + tensor.view.size_bytes();
      if (tensor.view.data < bytes.data() || end > bytes.data() + bytes.size()) __builtin_trap();
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kBadModel) __builtin_trap();
  }
  return 0;
}
