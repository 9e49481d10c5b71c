#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "engine/backends/cpu/kernels.h"
#include "engine/base/thread_pool.h"
#include "engine/tensor/tensor.h"

namespace moebench::cpu {

// Layouts of a panel of R rows along k (all little-endian; sections start at multiples of 32 bytes,
// a panel at a multiple of 64; rows beyond n are zero):
//   kF32, kF16, kBF16  [k][16] values
//   kQ8_0  [k/32][8] f16 scales | [k/32][8 groups][8 rows][4 neighbours along k] int8
//   kQ4_0  [k/32][8] f16 scales | [k/32][4][8][4]: group g low, group g + 4 high nibble
//   kQ4_1  [k/32][2][8] f16 scales, minima | as kQ4_0
//   kQ5_0  [k/32][8] f16 scales | [k/32]{[4][8][4] nibbles as kQ4_0, [8][4] bytes whose bit g is
//   the
//          fifth bit of group g}
//   kQ4_K  per 256: [8] f16 d | [8] f16 dmin | [4][8][2] scales | [4][8][2] minima (of sub-blocks
//   2i
//          and 2i + 1) | [8 sub-blocks] as kQ4_0
//   kQ6_K  per 256: [8] f16 d | 16 zero bytes | [8][8][2] int8 scales (of 16-groups 2i, 2i + 1) |
//          [8]{[4][8][4] low nibbles as kQ4_0, [2][8][4] bytes: byte p holds the two high bits of
//          groups 4p .. 4p + 3}

/// Bytes of one panel, padding included.
std::size_t panel_bytes(Packing packing, std::int64_t k) noexcept;

/// The packing for a stored type: its own where there is one, else F16 through dequantisation.
Packing packing_for(DType dtype) noexcept;

/// Packs rows [first, first + panel_rows) of `source` (n, k); rows >= n become zero.
void pack_panel(Packing packing, std::byte* panel, const TensorView& source, std::int64_t first);

/// Memory for weights: large pages where the OS gives them; freed when the last owner goes.
class WeightMemory {
 public:
  /// 64-byte aligned. Throws Error(kDevice) when there is none.
  static std::shared_ptr<std::byte> allocate(std::size_t bytes);
};

/// A matrix (n, k) in panels, or several of them one after another (experts, heads).
struct PanelMatrix {
  Packing packing = Packing::kF32;
  std::int64_t n = 0, k = 0;
  std::size_t stride_bytes = 0;  // from panel to panel: panel_bytes, or twice it when interleaved
  const std::byte* data = nullptr;

  std::int64_t panels() const noexcept {
    return (n + panel_rows(packing) - 1) / panel_rows(packing);
  }
  const std::byte* panel(std::int64_t i) const noexcept {
    return data + static_cast<std::size_t>(i) * stride_bytes;
  }
};

}  // namespace moebench::cpu
