#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

// What an instruction-set level provides: one table of functions, filled by kernels_scalar.cpp and
// kernels_avx2*.cpp. Files with their own -m flags include this header and nothing with inline code
// of its own (an inline function compiled there could be the copy that the linker keeps for all).

namespace moebench::cpu {

/// How a weight matrix lies in memory. Rows are grouped in panels (panel_rows of them, lanes =
/// output rows) and a panel holds, for each step along k, the values of all its rows side by side.
/// The exact layouts are packing.h's.
enum class Packing : std::uint8_t { kF32, kF16, kBF16, kQ8_0, kQ5_0, kQ4_0, kQ4_1, kQ4_K, kQ6_K };
inline constexpr int kPackings = 9;

/// What a packing multiplies with: rows of F32, or rows rounded to int8 in blocks of 32 or 256.
enum class ActivationKind : std::uint8_t { kF32, kInt8x32, kInt8x256 };

/// Rows of activations in every form that a call's weights ask for. q has `k` bytes a row.
struct Activations {
  const float* values = nullptr;   // (rows, k)
  std::int64_t value_stride = 0;   // elements
  const std::int8_t* q = nullptr;  // (rows, k), x = scale * q
  std::int64_t q_stride = 0;
  const float* scales = nullptr;  // (rows, blocks): one a block of 32 or 256
  std::int64_t scale_stride = 0;
  const std::int16_t* sums = nullptr;  // (rows, k / 16): sum of q over 16 neighbours
  std::int64_t sum_stride = 0;
};

/// tile (count, panel_rows) = the dot products of one panel with `count` rows of x, named by
/// `rows`. The order of additions along k is the same for every count. 1 <= count <= max_rows.
using TileKernel = void (*)(const std::byte* panel, std::int64_t k, const Activations& x,
                            const std::int32_t* rows, int count, float* tile) noexcept;

struct TileOp {
  TileKernel run = nullptr;
  int max_rows = 0;
};

/// One task of attention: up to kMaxQueries query vectors that share a KV head of one sequence.
struct AttentionTask {
  static constexpr int kMaxQueries = 8;
  int count = 0;
  const float* queries[kMaxQueries];  // (key_width)
  float* outputs[kMaxQueries];        // (value_width)
  std::int64_t first[kMaxQueries];    // positions first .. last (inclusive) are seen
  std::int64_t last[kMaxQueries];
  const std::int32_t* pages = nullptr;  // block table of the sequence
  const void* keys = nullptr;           // page 0, position 0, this KV head
  const void* values = nullptr;
  std::int64_t key_page_stride = 0, key_token_stride = 0;  // elements
  std::int64_t value_page_stride = 0, value_token_stride = 0;
  std::int64_t key_width = 0, value_width = 0;
  bool half = false;  // cache in F16, else F32
  float scale = 0.0f;
  float* scratch = nullptr;  // attention_scratch_floats
};
inline constexpr std::int64_t kAttentionBlock = 32;  // = KvLayer::kBlockTokens

struct Kernels {
  std::string_view isa;
  TileOp tile[kPackings];
  /// One row of k values to int8: q = round-to-nearest-even(x * (127 / amax)), scale = amax / 127.
  /// 32: k % 32 == 0; 256: k % 256 == 0. A block with a NaN or infinity gets a NaN scale.
  void (*quantize_32)(const float* x, std::int64_t k, std::int8_t* q, float* scales,
                      std::int16_t* sums) noexcept;
  void (*quantize_256)(const float* x, std::int64_t k, std::int8_t* q, float* scales,
                       std::int16_t* sums) noexcept;
  void (*rms_norm)(float* out, const float* x, const float* weight, std::int64_t n,
                   float epsilon) noexcept;
  /// out[i] = silu(gate[i]) * up[i]; out may be gate.
  void (*silu_product)(float* out, const float* gate, const float* up, std::int64_t n) noexcept;
  /// Row rows[t] of out += weights[t] * row t of tile, for t < count and the first n columns; a
  /// product is rounded before it is added. Strides in elements.
  void (*add_weighted_rows)(float* out, std::int64_t out_stride, const std::int32_t* rows,
                            const float* weights, const float* tile, std::int64_t tile_stride,
                            int count, std::int64_t n) noexcept;
  void (*to_half)(std::uint16_t* out, const float* x, std::int64_t n) noexcept;
  void (*attention)(const AttentionTask& task) noexcept;
};

/// Rows of a panel: 16 for plain types, 8 for block-quantised ones.
constexpr int panel_rows(Packing packing) noexcept { return packing <= Packing::kBF16 ? 16 : 8; }
constexpr ActivationKind activation_kind(Packing packing) noexcept {
  if (packing <= Packing::kBF16) return ActivationKind::kF32;
  return packing >= Packing::kQ4_K ? ActivationKind::kInt8x256 : ActivationKind::kInt8x32;
}
inline constexpr int kMaxPanelRows = 16;
inline constexpr int kMaxTileRows = 8;

/// Floats that an attention task needs as scratch.
constexpr std::int64_t attention_scratch_floats(std::int64_t value_width) noexcept {
  return AttentionTask::kMaxQueries * (value_width + 2 * kAttentionBlock + 16);
}

const Kernels& scalar_kernels() noexcept;
/// Null when the machine lacks AVX2, FMA or F16C (or this is no x86-64 build).
const Kernels* avx2_kernels() noexcept;

/// Every level that this machine runs, lowest first.
std::vector<const Kernels*> available_kernels();
/// The highest level, or the one that the environment variable MOEBENCH_ISA names.
/// Throws Error(kConfiguration) when that is unknown or not available.
const Kernels& choose_kernels();

}  // namespace moebench::cpu
