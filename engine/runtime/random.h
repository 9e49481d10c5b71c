#pragma once

#include <array>
#include <cstdint>

namespace moebench {

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC11):
/// four 32-bit words from a counter and a key, with no state in between.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = 0xD2511F53ull * counter[0];
    const std::uint64_t b = 0xCD9E8D57ull * counter[2];
    counter = {
        static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/// The uniform in [0, 1), a multiple of 2^-24, that draws the token at `position` of a sequence:
/// the key is the seed, the counter (sample_index, position). Neither batch nor slot enters.
constexpr float sampling_uniform(std::uint64_t seed, std::uint64_t sample_index,
                                 std::uint64_t position) noexcept {
  const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
  const auto words =
      philox4x32({low(position), high(position), low(sample_index), high(sample_index)},
                 {low(seed), high(seed)});
  return static_cast<float>(words[0] >> 8) * (1.0f / 16777216.0f);
}

}  // namespace moebench
