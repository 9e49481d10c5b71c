#pragma once

// What kernels/mma.cuh asks of a tensor core and of asynchronous copies, for the emulation. Layouts
// of the fragments: the PTX ISA, mma.m16n8k16 and ldmatrix.

#include <bit>
#include <cstdint>
#include <cstring>

#include "engine/tensor/convert.h"
#include "tests/emulation/cuda/execution.h"

namespace cuda_emulation {

inline float half_of(std::uint32_t pair, unsigned i, bool brain) {
  const auto bits = static_cast<std::uint16_t>(pair >> (16 * i));
  return brain ? moebench::bf16_to_f32(bits) : moebench::f16_to_f32(bits);
}

/// c (16, 8) += a (16, 16) b (16, 8).
inline void mma_m16n8k16(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                         std::uint32_t b1, bool brain, const Where& where = Where::current()) {
  float left[8], right[4], product[4];
  for (unsigned i = 0; i < 8; ++i) left[i] = half_of(a[i / 2], i % 2, brain);
  for (unsigned i = 0; i < 4; ++i) right[i] = half_of(i < 2 ? b0 : b1, i % 2, brain);
  mma_product(left, right, product, where);
  for (unsigned i = 0; i < 4; ++i) c[i] += product[i];
}

/// Four 8x8 matrices of 16-bit values; lane 8 i + r brings the address of row r of matrix i.
inline void ldmatrix_x4(std::uint32_t (&to)[4], const void* row, bool transposed,
                        const Where& where = Where::current()) {
  std::uint64_t rows[kWarpLanes];
  gather_bits(~0u, reinterpret_cast<std::uintptr_t>(row), rows, where);
  const auto lane = static_cast<unsigned>(lane_number());
  const unsigned g = lane / 4, t = lane % 4;
  for (unsigned i = 0; i < 4; ++i) {
    std::uint16_t pair[2];
    for (unsigned j = 0; j < 2; ++j) {
      const unsigned r = transposed ? 2 * t + j : g, column = transposed ? g : 2 * t + j;
      pair[j] = reinterpret_cast<const std::uint16_t*>(rows[8 * i + r])[column];
    }
    to[i] = pair[0] | static_cast<std::uint32_t>(pair[1]) << 16;
  }
}

/// cp.async: what a thread has under way arrives when it waits and no sooner; until then the
/// destination holds NaNs, so that a missing wait shows.
inline void copy_async_16(void* to, const void* from) {
  auto* const words = static_cast<std::uint32_t*>(to);
  for (unsigned i = 0; i < 4; ++i) words[i] = 0xffffffffu;
  note_async_copy(to, from);
}
inline void commit_copies() { close_async_group(); }
inline void wait_for_copies(unsigned groups_left) {
  for (;;) {
    const AsyncCopy copy = next_arrived_copy(groups_left);
    if (copy.to == nullptr) return;
    for (unsigned i = 0; i < 4; ++i)
      static_cast<std::uint32_t*>(copy.to)[i] = static_cast<const std::uint32_t*>(copy.from)[i];
  }
}

}  // namespace cuda_emulation
