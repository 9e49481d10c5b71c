#pragma once

// What this machine can do at most, measured in the same process as the ops that are compared with
// it: shared machines drift by tens of per cent within minutes.

namespace moebench::microbench {

struct Ceilings {
  double read_bytes_per_second = 0;  ///< all threads reading memory that no cache holds
  double fma_flops_per_second = 0;   ///< F32, 8 lanes, register to register
  double int8_operations_per_second =
      0;  ///< maddubs + madd pairs, a multiply and an add counted each
};

/// Takes about a second. Without AVX2 only the bandwidth is measured (scalar loads).
Ceilings measure_ceilings(int threads);

}  // namespace moebench::microbench
