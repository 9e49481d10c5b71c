#pragma once

#include <string>

namespace moebench {

struct PeakFlops {
  double flops_per_second = 0;
  std::string how;  ///< "fused multiply-adds in f32, 8 wide (AVX2), 2 threads"
};

/// What `threads` threads reach together in fused multiply-adds of f32 held in registers, at the
/// widest vectors that this CPU has; best of a few passes, about 0.2 s. The denominator of S-MFU on
/// a CPU. Kernels that multiply in int8 can do more than this.
PeakFlops measure_peak_flops(int threads);

}  // namespace moebench
