#pragma once

#include "cuda_runtime.h"

using __nv_fp8_storage_t = unsigned char;

/// FP8 E4M3 (OCP "FN": no infinity, 0x7f is NaN, the largest is 448); reading only.
struct __nv_fp8_e4m3 {
  __nv_fp8_storage_t __x;

  operator float() const {
    const unsigned exponent = __x >> 3 & 15u, fraction = __x & 7u;
    float value;
    if (exponent == 15 && fraction == 7)
      value = std::numeric_limits<float>::quiet_NaN();
    else if (exponent == 0)
      value = static_cast<float>(fraction) * 0x1p-9f;
    else
      value = std::bit_cast<float>((exponent + 120) << 23 | fraction << 20);
    return (__x & 0x80) != 0 ? -value : value;
  }
};
