#pragma once

#include <cstdint>

namespace moebench {

// Layouts of the block-quantised types as GGUF stores them (little-endian; f16 = IEEE half as
// bits). Source of the layouts: the GGUF/ggml format description. K-quants work on super-blocks of
// 256.

struct BlockQ8_0 {  ///< w = d * q
  std::uint16_t d;
  std::int8_t q[32];
};
struct BlockQ4_0 {  ///< w = d * (q - 8); element j in the low nibble of q[j], j + 16 in the high
                    ///< one
  std::uint16_t d;
  std::uint8_t q[16];
};
struct BlockQ4_1 {  ///< w = d * q + m
  std::uint16_t d, m;
  std::uint8_t q[16];
};
struct BlockQ5_0 {  ///< w = d * (q - 16); fifth bits in high[]
  std::uint16_t d;
  std::uint8_t high[4];
  std::uint8_t q[16];
};
struct BlockQ5_1 {  ///< w = d * q + m
  std::uint16_t d, m;
  std::uint8_t high[4];
  std::uint8_t q[16];
};
struct BlockQ2_K {  ///< 16 groups of 16: w = d * scale * q - dmin * min
  std::uint8_t scales[16];
  std::uint8_t q[64];
  std::uint16_t d, dmin;
};
struct BlockQ3_K {  ///< 16 groups of 16: w = d * (scale - 32) * (q - 4)
  std::uint8_t high[32];
  std::uint8_t q[64];
  std::uint8_t scales[12];
  std::uint16_t d;
};
struct BlockQ4_K {  ///< 8 groups of 32: w = d * scale * q - dmin * min; 6-bit scales and mins
  std::uint16_t d, dmin;
  std::uint8_t scales[12];
  std::uint8_t q[128];
};
struct BlockQ5_K {
  std::uint16_t d, dmin;
  std::uint8_t scales[12];
  std::uint8_t high[32];
  std::uint8_t q[128];
};
struct BlockQ6_K {  ///< 16 groups of 16: w = d * scale * (q - 32)
  std::uint8_t low[128];
  std::uint8_t high[64];
  std::int8_t scales[16];
  std::uint16_t d;
};

struct BlockIQ4_XS {  ///< 8 groups of 32: w = d * (scale - 32) * level[q], 16 fixed levels
  std::uint16_t d, scales_high;
  std::uint8_t scales_low[4];
  std::uint8_t q[128];
};
struct BlockMXFP4 {  ///< w = 2^(exponent - 127) * E2M1[q]
  std::uint8_t exponent;
  std::uint8_t q[16];
};

static_assert(sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20);
static_assert(sizeof(BlockQ5_0) == 22 && sizeof(BlockQ5_1) == 24 && sizeof(BlockQ2_K) == 84);
static_assert(sizeof(BlockQ3_K) == 110 && sizeof(BlockQ4_K) == 144 && sizeof(BlockQ5_K) == 176);
static_assert(sizeof(BlockQ6_K) == 210 && sizeof(BlockIQ4_XS) == 136 && sizeof(BlockMXFP4) == 17);

}  // namespace moebench
