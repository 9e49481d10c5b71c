#include "engine/backends/cpu/kernels_avx2.h"

// The table alone: compiled for the baseline, so that asking is safe on any machine.

namespace moebench::cpu {

const Kernels* avx2_kernels() noexcept {
  static const bool available = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                                __builtin_cpu_supports("f16c");
  if (!available) return nullptr;
  static const Kernels kernels = {
      "avx2",
      {avx2::tile_f32(), avx2::tile_f16(), avx2::tile_bf16(), avx2::tile_q8_0(), avx2::tile_q5_0(),
       avx2::tile_q4_0(), avx2::tile_q4_1(), avx2::tile_q4_k(), avx2::tile_q6_k()},
      &avx2::quantize_32,
      &avx2::quantize_256,
      &avx2::rms_norm,
      &avx2::silu_product,
      &avx2::add_weighted_rows,
      &avx2::to_half,
      &avx2::attention,
  };
  return &kernels;
}

}  // namespace moebench::cpu
