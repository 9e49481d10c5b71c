#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/tensor/tensor.h"

namespace moebench {

// Conversions of rows of values, scalar and exact: what the reference backend computes from, what
// the CPU backend's packer reads, and what `model quantize` writes. All are pure and thread-safe.

/// IEEE half precision; to half rounds to nearest even, overflows to infinity, keeps NaN.
float f16_to_f32(std::uint16_t half) noexcept;
std::uint16_t f32_to_f16(float value) noexcept;
/// bfloat16: the upper half of an F32; rounds to nearest even.
float bf16_to_f32(std::uint16_t value) noexcept;
std::uint16_t f32_to_bf16(float value) noexcept;
/// FP8 E4M3 (OCP "FN" variant: no infinity, 0x7f and 0xff are NaN, largest 448).
float f8e4m3_to_f32(std::uint8_t value) noexcept;

/// Whether to_f32 knows the type (every floating type of DType).
bool can_convert_to_f32(DType from) noexcept;
/// Whether from_f32 knows the type: f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k.
bool can_convert_from_f32(DType to) noexcept;

/// `elements` values (whole blocks) from `source` into `destination`. Precondition:
/// can_convert_to_f32.
void to_f32(float* destination, const void* source, DType from, std::size_t elements) noexcept;

/// The other way round: plain types round to nearest even; block types search each group's scale
/// for a small squared error (q8_0: largest magnitude / 127). Precondition: can_convert_from_f32
/// and whole blocks. Not meant for NaN or infinity, which block types cannot hold.
void from_f32(void* destination, DType to, std::span<const float> source) noexcept;

}  // namespace moebench
