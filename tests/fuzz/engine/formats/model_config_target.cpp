#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/base/error.h"
#include "engine/model/families.h"

/// A config.json: a description of a model within bounds, or an Error(kBadModel).
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace moebench;
  try {
    const ModelConfig config = config_from_hugging_face(
        std::string_view(reinterpret_cast<const char*>(data), size), "config.json");
    if (config.layers.empty() || config.hidden < 1) __builtin_trap();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kBadModel) __builtin_trap();
  }
  return 0;
}
