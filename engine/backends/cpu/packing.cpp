#include "engine/backends/cpu/packing.h"

#include <sys/mman.h>

#include <cstring>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/tensor/block_types.h"
#include "engine/tensor/convert.h"

namespace moebench::cpu {
namespace {

constexpr std::size_t round_up(std::size_t n, std::size_t unit) noexcept {
  return (n + unit - 1) / unit * unit;
}

// Of a type with blocks of 32: scales a block, bytes of a packed block of 8 rows.
struct Layout32 {
  std::size_t scales, block_bytes;
};
constexpr Layout32 layout_32(Packing packing) noexcept {
  switch (packing) {
    case Packing::kQ8_0:
      return {1, 256};
    case Packing::kQ5_0:
      return {1, 160};
    case Packing::kQ4_1:
      return {2, 128};
    default:
      return {1, 128};
  }
}
constexpr std::size_t kQ4KBytes = 1184, kQ6KBytes = 1696;

template <class Block>
void put_half(std::byte* to, std::int64_t row, const Block& bits) noexcept {
  std::memcpy(to + 2 * row, &bits, 2);
}

void put_nibble(std::byte* block, int element, std::int64_t row, unsigned value) noexcept {
  const int group = element / 4;
  std::byte& at = block[32 * (group % 4) + 4 * row + element % 4];
  at |= static_cast<std::byte>(group < 4 ? value : value << 4);
}

unsigned low_or_high(const std::uint8_t* q, int element) noexcept {  // Q4_0, Q4_1, Q5_0
  return element < 16 ? q[element] & 15u : q[element - 16] >> 4u;
}

void pack_32(Packing packing, std::byte* panel, std::int64_t row, const std::byte* source,
             std::int64_t k) noexcept {
  const Layout32 layout = layout_32(packing);
  const std::int64_t blocks = k / 32;
  std::byte* block = panel + round_up(static_cast<std::size_t>(blocks) * 16 * layout.scales, 32);
  std::byte* scales = panel;
  for (std::int64_t b = 0; b < blocks; ++b, block += layout.block_bytes) {
    switch (packing) {
      case Packing::kQ8_0: {
        BlockQ8_0 from;
        std::memcpy(&from, source + b * static_cast<std::int64_t>(sizeof from), sizeof from);
        put_half(scales, row, from.d);
        for (int g = 0; g < 8; ++g) std::memcpy(block + 32 * g + 4 * row, from.q + 4 * g, 4);
        break;
      }
      case Packing::kQ4_0: {
        BlockQ4_0 from;
        std::memcpy(&from, source + b * static_cast<std::int64_t>(sizeof from), sizeof from);
        put_half(scales, row, from.d);
        for (int e = 0; e < 32; ++e) put_nibble(block, e, row, low_or_high(from.q, e));
        break;
      }
      case Packing::kQ4_1: {
        BlockQ4_1 from;
        std::memcpy(&from, source + b * static_cast<std::int64_t>(sizeof from), sizeof from);
        put_half(scales, row, from.d);
        put_half(scales + 16, row, from.m);
        for (int e = 0; e < 32; ++e) put_nibble(block, e, row, low_or_high(from.q, e));
        break;
      }
      default: {
        BlockQ5_0 from;
        std::memcpy(&from, source + b * static_cast<std::int64_t>(sizeof from), sizeof from);
        put_half(scales, row, from.d);
        std::uint32_t high;
        std::memcpy(&high, from.high, 4);
        for (int e = 0; e < 32; ++e) {
          put_nibble(block, e, row, low_or_high(from.q, e));
          block[128 + 4 * row + e % 4] |= static_cast<std::byte>((high >> e & 1u) << (e / 4));
        }
      }
    }
    scales += 16 * layout.scales;
  }
}

void pack_q4_k(std::byte* panel, std::int64_t row, const std::byte* source,
               std::int64_t k) noexcept {
  for (std::int64_t b = 0; b < k / 256; ++b, panel += kQ4KBytes) {
    BlockQ4_K from;
    std::memcpy(&from, source + b * static_cast<std::int64_t>(sizeof from), sizeof from);
    put_half(panel, row, from.d);
    put_half(panel + 16, row, from.dmin);
    for (int s = 0; s < 8; ++s) {
      // 6-bit scales and minima: the first four whole in bytes 0..3 and 4..7, the other four as
      // nibbles in bytes 8..11, their top bits above the first four.
      const std::uint8_t* const packed = from.scales;
      const unsigned scale =
          s < 4 ? packed[s] & 63u : (packed[s + 4] & 15u) | (packed[s - 4] >> 6u) << 4u;
      const unsigned minimum =
          s < 4 ? packed[s + 4] & 63u : (packed[s + 4] >> 4u) | (packed[s] >> 6u) << 4u;
      const std::int64_t pair = 16 * (s / 2) + 2 * row + s % 2;
      panel[32 + pair] = static_cast<std::byte>(scale);
      panel[96 + pair] = static_cast<std::byte>(minimum);
      // Elements 64 i + j have the low nibbles of bytes 32 i + j, elements 64 i + 32 + j the high.
      for (int e = 0; e < 32; ++e) {
        const unsigned byte = from.q[32 * (s / 2) + e];
        put_nibble(panel + 160 + 128 * s, e, row, s % 2 == 0 ? byte & 15u : byte >> 4u);
      }
    }
  }
}

void pack_q6_k(std::byte* panel, std::int64_t row, const std::byte* source,
               std::int64_t k) noexcept {
  for (std::int64_t b = 0; b < k / 256; ++b, panel += kQ6KBytes) {
    BlockQ6_K from;
    std::memcpy(&from, source + b * static_cast<std::int64_t>(sizeof from), sizeof from);
    put_half(panel, row, from.d);
    for (int g = 0; g < 16; ++g)
      panel[32 + 16 * (g / 2) + 2 * row + g % 2] = static_cast<std::byte>(from.scales[g]);
    for (int s = 0; s < 8; ++s) {
      std::byte* const block = panel + 160 + 192 * s;
      for (int e = 0; e < 32; ++e) {
        // Of each half of 128: element 32 i + j has its low bits in byte (i % 2) * 32 + j, in the
        // low nibble for i < 2, and its two high bits at bit 2 i of byte j.
        const int half = s / 4, i = s % 4;
        const unsigned low_byte = from.low[64 * half + 32 * (i % 2) + e];
        const unsigned high = from.high[32 * half + e] >> (2 * i) & 3u;
        put_nibble(block, e, row, i < 2 ? low_byte & 15u : low_byte >> 4u);
        block[128 + 32 * (e / 16) + 4 * row + e % 4] |=
            static_cast<std::byte>(high << (2 * (e / 4 % 4)));
      }
    }
  }
}

template <class T, class Convert>
void pack_plain(std::byte* panel, std::int64_t row, const T* source, std::int64_t k,
                Convert convert) noexcept {
  for (std::int64_t i = 0; i < k; ++i) {
    const auto value = convert(source[i]);
    std::memcpy(panel + (16 * i + row) * static_cast<std::int64_t>(sizeof value), &value,
                sizeof value);
  }
}

}  // namespace

std::size_t panel_bytes(Packing packing, std::int64_t k) noexcept {
  const auto n = static_cast<std::size_t>(k);
  switch (packing) {
    case Packing::kF32:
      return n * 64;
    case Packing::kF16:
    case Packing::kBF16:
      return round_up(n * 32, 64);
    case Packing::kQ4_K:
      return round_up(n / 256 * kQ4KBytes, 64);
    case Packing::kQ6_K:
      return round_up(n / 256 * kQ6KBytes, 64);
    default:
      break;
  }
  const Layout32 layout = layout_32(packing);
  return round_up(round_up(n / 32 * 16 * layout.scales, 32) + n / 32 * layout.block_bytes, 64);
}

Packing packing_for(DType dtype) noexcept {
  switch (dtype) {
    case DType::kF32:
      return Packing::kF32;
    case DType::kBF16:
      return Packing::kBF16;
    case DType::kQ8_0:
      return Packing::kQ8_0;
    case DType::kQ5_0:
      return Packing::kQ5_0;
    case DType::kQ4_0:
      return Packing::kQ4_0;
    case DType::kQ4_1:
      return Packing::kQ4_1;
    case DType::kQ4_K:
      return Packing::kQ4_K;
    case DType::kQ6_K:
      return Packing::kQ6_K;
    default:
      return Packing::kF16;
  }
}

void pack_panel(Packing packing, std::byte* panel, const TensorView& source, std::int64_t first) {
  const std::int64_t n = source.shape[0], k = source.shape[1];
  const std::size_t bytes = row_bytes(source.dtype, static_cast<std::size_t>(k));
  std::memset(panel, 0, panel_bytes(packing, k));
  std::vector<float> values;
  for (std::int64_t r = 0; r < panel_rows(packing) && first + r < n; ++r) {
    const std::byte* const row = source.data + static_cast<std::size_t>(first + r) * bytes;
    switch (packing) {
      case Packing::kQ4_K:
        pack_q4_k(panel, r, row, k);
        break;
      case Packing::kQ6_K:
        pack_q6_k(panel, r, row, k);
        break;
      case Packing::kQ8_0:
      case Packing::kQ5_0:
      case Packing::kQ4_0:
      case Packing::kQ4_1:
        pack_32(packing, panel, r, row, k);
        break;
      default: {
        const bool as_is = (packing == Packing::kF16 && source.dtype == DType::kF16) ||
                           (packing == Packing::kBF16 && source.dtype == DType::kBF16);
        if (as_is) {
          std::byte* to = panel + 2 * r;
          for (std::int64_t i = 0; i < k; ++i, to += 32) std::memcpy(to, row + 2 * i, 2);
          break;
        }
        values.resize(static_cast<std::size_t>(k));
        to_f32(values.data(), row, source.dtype, static_cast<std::size_t>(k));
        if (packing == Packing::kF32)
          pack_plain(panel, r, values.data(), k, [](float v) { return v; });
        else if (packing == Packing::kF16)
          pack_plain(panel, r, values.data(), k, [](float v) { return f32_to_f16(v); });
        else
          pack_plain(panel, r, values.data(), k, [](float v) { return f32_to_bf16(v); });
      }
    }
  }
}

std::shared_ptr<std::byte> WeightMemory::allocate(std::size_t bytes) {
  constexpr std::size_t kLargePage = std::size_t{2} << 20;
  const std::size_t size =
      round_up(bytes == 0 ? 1 : bytes, bytes >= kLargePage ? kLargePage : 4096);
  // A large page must start at a multiple of its size: map one more, then cut to fit.
  const std::size_t extra = bytes >= kLargePage ? kLargePage : 0;
  void* const mapped =
      mmap(nullptr, size + extra, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED)
    throw Error(ErrorCode::kDevice,
                "no memory for " + std::to_string(bytes >> 20) + " MiB of weights",
                "close other programs, or use a smaller or more strongly quantised model");
  auto* begin = static_cast<std::byte*>(mapped);
  if (extra != 0) {
    const std::size_t lead =
        (kLargePage - reinterpret_cast<std::uintptr_t>(begin) % kLargePage) % kLargePage;
    if (lead != 0) munmap(begin, lead);
    if (lead != extra) munmap(begin + lead + size, extra - lead);
    begin += lead;
    madvise(begin, size, MADV_HUGEPAGE);  // a hint: without it only the speed differs
  }
  return {begin, [size](std::byte* p) { munmap(p, size); }};
}

}  // namespace moebench::cpu
