#include "engine/tensor/dtype.h"

#include <array>

#include "engine/base/check.h"

namespace moebench {
namespace {

// In the order of the enum.
constexpr std::array<DTypeTraits, 18> kTraits = {{
    {"f32", 1, 4},
    {"f16", 1, 2},
    {"bf16", 1, 2},
    {"f8_e4m3", 1, 1},
    {"i32", 1, 4},
    {"i64", 1, 8},
    {"q8_0", 32, 34},
    {"q4_0", 32, 18},
    {"q4_1", 32, 20},
    {"q5_0", 32, 22},
    {"q5_1", 32, 24},
    {"q2_k", 256, 84},
    {"q3_k", 256, 110},
    {"q4_k", 256, 144},
    {"q5_k", 256, 176},
    {"q6_k", 256, 210},
    {"iq4_xs", 256, 136},
    {"mxfp4", 32, 17},
}};

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

const DTypeTraits& traits(DType dtype) noexcept { return kTraits[static_cast<std::size_t>(dtype)]; }

std::size_t row_bytes(DType dtype, std::size_t elements) noexcept {
  const DTypeTraits& t = traits(dtype);
  MOEBENCH_CHECK(elements % t.block_elements == 0);
  return elements / t.block_elements * t.block_bytes;
}

std::optional<DType> parse_dtype(std::string_view text) noexcept {
  for (std::size_t i = 0; i < kTraits.size(); ++i) {
    const std::string_view candidate = kTraits[i].name;
    if (candidate.size() != text.size()) continue;
    bool same = true;
    for (std::size_t j = 0; j < text.size() && same; ++j) same = lower(text[j]) == candidate[j];
    if (same) return static_cast<DType>(i);
  }
  return std::nullopt;
}

}  // namespace moebench
