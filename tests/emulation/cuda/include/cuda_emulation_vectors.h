#pragma once

// CUDA's vector types: the same sizes and alignments.

#define MOEBENCH_VECTOR2(name, type, alignment) \
  struct alignas(alignment) name##2 {           \
    type x, y;                                  \
  };                                            \
  inline name##2 make_##name##2(type x, type y) { return {x, y}; }
#define MOEBENCH_VECTOR3(name, type) \
  struct name##3 {                   \
    type x, y, z;                    \
  };                                 \
  inline name##3 make_##name##3(type x, type y, type z) { return {x, y, z}; }
#define MOEBENCH_VECTOR4(name, type, alignment) \
  struct alignas(alignment) name##4 {           \
    type x, y, z, w;                            \
  };                                            \
  inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
#define MOEBENCH_VECTORS(name, type)             \
  MOEBENCH_VECTOR2(name, type, 2 * sizeof(type)) \
  MOEBENCH_VECTOR3(name, type)                   \
  MOEBENCH_VECTOR4(name, type, 4 * sizeof(type))

MOEBENCH_VECTORS(char, signed char)
MOEBENCH_VECTORS(uchar, unsigned char)
MOEBENCH_VECTORS(short, short)
MOEBENCH_VECTORS(ushort, unsigned short)
MOEBENCH_VECTORS(int, int)
MOEBENCH_VECTORS(uint, unsigned)
MOEBENCH_VECTORS(float, float)
MOEBENCH_VECTOR2(longlong, long long, 16)
MOEBENCH_VECTOR2(ulonglong, unsigned long long, 16)
MOEBENCH_VECTOR2(double, double, 16)

#undef MOEBENCH_VECTORS
#undef MOEBENCH_VECTOR4
#undef MOEBENCH_VECTOR3
#undef MOEBENCH_VECTOR2
