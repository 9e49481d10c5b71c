#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace moebench {

/// Element types of stored and computed tensors. The block-quantised ones pack `block_elements`
/// neighbouring values of a row into `block_bytes` (layouts: block_types.h).
enum class DType : std::uint8_t {
  kF32,
  kF16,
  kBF16,
  kF8E4M3,
  kI32,
  kI64,
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIQ4_XS,
  kMXFP4,
};

struct DTypeTraits {
  std::string_view name;       ///< as a user writes and reads it: "bf16", "q4_k"
  std::size_t block_elements;  ///< 1 for plain types
  std::size_t block_bytes;
};

const DTypeTraits& traits(DType dtype) noexcept;
inline std::string_view name(DType dtype) noexcept { return traits(dtype).name; }
inline bool is_quantized(DType dtype) noexcept { return traits(dtype).block_elements > 1; }

/// Bytes of a row of `elements` values. Precondition: a whole number of blocks.
std::size_t row_bytes(DType dtype, std::size_t elements) noexcept;

/// From a name as in DTypeTraits, any case; nothing when unknown.
std::optional<DType> parse_dtype(std::string_view name) noexcept;

}  // namespace moebench
