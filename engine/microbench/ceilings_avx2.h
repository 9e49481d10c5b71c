#pragma once

#include <cstddef>
#include <cstdint>

namespace moebench::microbench {

/// Sum over the 64-bit words of `bytes` (a multiple of 256) at `data`.
std::uint64_t read_avx2(const std::byte* data, std::size_t bytes) noexcept;
/// `rounds` times 10 independent FMAs of 8 lanes: 160 FLOPs a round.
float fma_avx2(std::int64_t rounds) noexcept;
/// `rounds` times 8 independent maddubs, each with its madd and add: 8 * 64 operations a round.
int int8_avx2(std::int64_t rounds) noexcept;

}  // namespace moebench::microbench
