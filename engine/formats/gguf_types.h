#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/tensor/dtype.h"

namespace moebench {

// Numbers that the GGUF format gives to things (the format's specification, "ggml_type" and
// "gguf_metadata_value_type").

inline constexpr std::uint32_t kGgufMagic = 0x46554747;  // "GGUF", little-endian
inline constexpr std::uint64_t kGgufDefaultAlignment = 32;

enum class GgufValueType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};

/// The tensor type with this number, where the engine has it.
std::optional<DType> dtype_of_gguf(std::uint32_t type) noexcept;
/// Its name for messages, known to the engine or not: "iq2_xxs", "type 77".
std::string gguf_type_name(std::uint32_t type);
/// The number of a type that GGUF can hold (not f8_e4m3).
std::optional<std::uint32_t> gguf_type_of(DType dtype) noexcept;

}  // namespace moebench
