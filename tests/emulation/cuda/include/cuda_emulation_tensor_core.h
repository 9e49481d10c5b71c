#pragma once

// What kernels/mma.cuh asks of a tensor core and of asynchronous copies, for the emulation. Layouts
// of the fragments: the PTX ISA, mma.m16n8k16 and ldmatrix.

#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

#include "engine/tensor/convert.h"
#include "tests/emulation/cuda/execution.h"

namespace cuda_emulation {

inline float half_of(std::uint32_t pair, unsigned i, bool brain) {
  const auto bits = static_cast<std::uint16_t>(pair >> (16 * i));
  return brain ? moebench::bf16_to_f32(bits) : moebench::f16_to_f32(bits);
}

struct TileOperands {
  const std::uint32_t* a;
  const std::uint32_t* b;
  bool brain;
};

/// c (16, 8) += a (16, 16) b (16, 8): products are exact in F32, a sum of sixteen is rounded once
/// (in F64), then added to c.
inline void mma_m16n8k16(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                         std::uint32_t b1, bool brain, const Where& where = Where::current()) {
  const std::uint32_t b[2] = {b0, b1};
  const TileOperands operands{a, b, brain};
  const auto bring = [](Exchange& e, const void* part) {
    const auto& o = *static_cast<const TileOperands*>(part);
    const unsigned lane = static_cast<unsigned>(lane_number()), g = lane / 4, t = lane % 4;
    for (unsigned i = 0; i < 4; ++i)
      for (unsigned j = 0; j < 2; ++j)
        e.a[(g + i % 2 * 8) * 16 + 2 * t + i / 2 * 8 + j] = half_of(o.a[i], j, o.brain);
    for (unsigned i = 0; i < 2; ++i)
      for (unsigned j = 0; j < 2; ++j)
        e.b[g * 16 + 2 * t + i * 8 + j] = half_of(o.b[i], j, o.brain);
  };
  const auto finish = [](Exchange& e) {
    for (unsigned row = 0; row < 16; ++row)
      for (unsigned column = 0; column < 8; ++column) {
        double sum = 0.0;
        for (unsigned k = 0; k < 16; ++k)
          sum += static_cast<double>(e.a[row * 16 + k]) * static_cast<double>(e.b[column * 16 + k]);
        e.product[row * 8 + column] = static_cast<float>(sum);
      }
  };
  Exchange& e = join(0xffffffffu, where, bring, &operands, finish, false);
  const unsigned lane = static_cast<unsigned>(lane_number()), g = lane / 4, t = lane % 4;
  for (unsigned i = 0; i < 4; ++i) c[i] += e.product[(g + i / 2 * 8) * 8 + 2 * t + i % 2];
  leave(e);
}

/// Four 8x8 matrices of 16-bit values; lane 8 i + r brings the address of row r of matrix i.
inline void ldmatrix_x4(std::uint32_t (&to)[4], const void* row, bool transposed,
                        const Where& where = Where::current()) {
  const auto bring = [](Exchange& e, const void* part) {
    e.values[lane_number()] = reinterpret_cast<std::uintptr_t>(part);
  };
  Exchange& e = join(0xffffffffu, where, bring, row, nullptr, false);
  const unsigned lane = static_cast<unsigned>(lane_number()), g = lane / 4, t = lane % 4;
  for (unsigned i = 0; i < 4; ++i) {
    std::uint16_t pair[2];
    for (unsigned j = 0; j < 2; ++j) {
      const unsigned r = transposed ? 2 * t + j : g, column = transposed ? g : 2 * t + j;
      pair[j] = reinterpret_cast<const std::uint16_t*>(e.values[8 * i + r])[column];
    }
    to[i] = pair[0] | static_cast<std::uint32_t>(pair[1]) << 16;
  }
  leave(e);
}

/// cp.async: what a thread has under way arrives when it waits and no sooner; until then the
/// destination holds NaNs, so that a missing wait shows.
struct AsyncCopies {
  struct Copy {
    void* to;
    const void* from;
    unsigned group;
  };
  std::vector<Copy> pending;
  unsigned group = 0;
};
inline AsyncCopies& async_copies() {
  static std::vector<AsyncCopies> of_thread(kMaxBlockThreads);
  return of_thread[self->linear];
}
inline void copy_async_16(void* to, const void* from) {
  AsyncCopies& copies = async_copies();
  auto* const words = static_cast<std::uint32_t*>(to);
  for (unsigned i = 0; i < 4; ++i) words[i] = 0xffffffffu;
  copies.pending.push_back({to, from, copies.group});
}
inline void commit_copies() { ++async_copies().group; }
inline void wait_for_copies(unsigned groups_left) {
  AsyncCopies& copies = async_copies();
  std::size_t done = 0;
  for (const AsyncCopies::Copy& copy : copies.pending) {
    if (copy.group + groups_left >= copies.group) break;
    for (unsigned i = 0; i < 4; ++i)
      static_cast<std::uint32_t*>(copy.to)[i] = static_cast<const std::uint32_t*>(copy.from)[i];
    ++done;
  }
  copies.pending.erase(copies.pending.begin(),
                       copies.pending.begin() + static_cast<std::ptrdiff_t>(done));
}

}  // namespace cuda_emulation
