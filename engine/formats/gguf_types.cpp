#include "engine/formats/gguf_types.h"

#include <array>
#include <string_view>

namespace moebench {
namespace {

struct GgufType {
  std::uint32_t number;
  std::string_view name;
  std::optional<DType> dtype;  // absent: the engine has no such type
};

constexpr std::array<GgufType, 32> kTypes = {{
    {0, "f32", DType::kF32},        {1, "f16", DType::kF16},       {2, "q4_0", DType::kQ4_0},
    {3, "q4_1", DType::kQ4_1},      {6, "q5_0", DType::kQ5_0},     {7, "q5_1", DType::kQ5_1},
    {8, "q8_0", DType::kQ8_0},      {9, "q8_1", std::nullopt},     {10, "q2_k", DType::kQ2_K},
    {11, "q3_k", DType::kQ3_K},     {12, "q4_k", DType::kQ4_K},    {13, "q5_k", DType::kQ5_K},
    {14, "q6_k", DType::kQ6_K},     {15, "q8_k", std::nullopt},    {16, "iq2_xxs", std::nullopt},
    {17, "iq2_xs", std::nullopt},   {18, "iq3_xxs", std::nullopt}, {19, "iq1_s", std::nullopt},
    {20, "iq4_nl", std::nullopt},   {21, "iq3_s", std::nullopt},   {22, "iq2_s", std::nullopt},
    {23, "iq4_xs", DType::kIQ4_XS}, {24, "i8", std::nullopt},      {25, "i16", std::nullopt},
    {26, "i32", DType::kI32},       {27, "i64", DType::kI64},      {28, "f64", std::nullopt},
    {29, "iq1_m", std::nullopt},    {30, "bf16", DType::kBF16},    {34, "tq1_0", std::nullopt},
    {35, "tq2_0", std::nullopt},    {39, "mxfp4", DType::kMXFP4},
}};

}  // namespace

std::optional<DType> dtype_of_gguf(std::uint32_t type) noexcept {
  for (const GgufType& known : kTypes)
    if (known.number == type) return known.dtype;
  return std::nullopt;
}

std::string gguf_type_name(std::uint32_t type) {
  for (const GgufType& known : kTypes)
    if (known.number == type) return std::string(known.name);
  return "type " + std::to_string(type);
}

std::optional<std::uint32_t> gguf_type_of(DType dtype) noexcept {
  for (const GgufType& known : kTypes)
    if (known.dtype == dtype) return known.number;
  return std::nullopt;
}

}  // namespace moebench
