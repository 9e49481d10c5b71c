#pragma once

// Arithmetic, bit and atomic intrinsics. Roundings are IEEE's; the fast approximations are computed
// exactly, so a tolerance has to leave room for the device's.

#include <algorithm>
#include <bit>
#include <cassert>
#include <limits>

using std::isfinite;
using std::isinf;
using std::isnan;

inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fdividef(float a, float b) { return a / b; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __frsqrt_rn(float a) { return 1.0f / std::sqrt(a); }
inline float rsqrtf(float a) { return 1.0f / std::sqrt(a); }
inline float __expf(float a) { return std::exp(a); }
inline float __exp2f(float a) { return std::exp2(a); }
inline float __logf(float a) { return std::log(a); }
inline float __log2f(float a) { return std::log2(a); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
inline int __float2int_rn(float a) { return static_cast<int>(std::nearbyint(a)); }
inline int __float2int_rz(float a) { return static_cast<int>(a); }
inline float __int2float_rn(int a) { return static_cast<float>(a); }
inline float __saturatef(float a) { return a > 0.0f ? (a < 1.0f ? a : 1.0f) : 0.0f; }

inline int __float_as_int(float a) { return std::bit_cast<int>(a); }
inline unsigned __float_as_uint(float a) { return std::bit_cast<unsigned>(a); }
inline float __int_as_float(int a) { return std::bit_cast<float>(a); }
inline float __uint_as_float(unsigned a) { return std::bit_cast<float>(a); }
inline long long __double_as_longlong(double a) { return std::bit_cast<long long>(a); }
inline double __longlong_as_double(long long a) { return std::bit_cast<double>(a); }

inline int __popc(unsigned a) { return std::popcount(a); }
inline int __popcll(unsigned long long a) { return std::popcount(a); }
inline int __clz(int a) { return std::countl_zero(static_cast<unsigned>(a)); }
inline int __ffs(int a) { return a == 0 ? 0 : std::countr_zero(static_cast<unsigned>(a)) + 1; }
inline int __mul24(int a, int b) { return a * b; }
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  const unsigned long long both = static_cast<unsigned long long>(high) << 32 | low;
  return static_cast<unsigned>(both >> (shift & 31));
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned selector) {
  const unsigned long long both = static_cast<unsigned long long>(b) << 32 | a;
  unsigned result = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned choice = selector >> (4 * i) & 0xf;
    unsigned byte = static_cast<unsigned>(both >> (8 * (choice & 7))) & 0xff;
    if ((choice & 8) != 0) byte = (byte & 0x80) != 0 ? 0xff : 0;
    result |= byte << (8 * i);
  }
  return result;
}
/// Four products of signed bytes, added to c.
inline int __dp4a(int a, int b, int c) {
  for (int i = 0; i < 4; ++i)
    c += static_cast<signed char>(static_cast<unsigned>(a) >> (8 * i)) *
         static_cast<signed char>(static_cast<unsigned>(b) >> (8 * i));
  return c;
}
inline unsigned __dp4a(unsigned a, unsigned b, unsigned c) {
  for (int i = 0; i < 4; ++i) c += (a >> (8 * i) & 0xff) * (b >> (8 * i) & 0xff);
  return c;
}
/// Per byte, signed: a - b, wrapping; a == b ? 0xff : 0.
inline unsigned __vsub4(unsigned a, unsigned b) {
  unsigned result = 0;
  for (int i = 0; i < 4; ++i) result |= (((a >> (8 * i)) - (b >> (8 * i))) & 0xffu) << (8 * i);
  return result;
}
inline int __vsubss4(int a, int b) {
  unsigned result = 0;
  for (int i = 0; i < 4; ++i) {
    const int difference = static_cast<signed char>(static_cast<unsigned>(a) >> (8 * i)) -
                           static_cast<signed char>(static_cast<unsigned>(b) >> (8 * i));
    result |= (static_cast<unsigned>(std::clamp(difference, -128, 127)) & 0xffu) << (8 * i);
  }
  return static_cast<int>(result);
}

// CUDA has these at global scope, for mixed widths too.
template <class A, class B>
requires std::is_arithmetic_v<A> && std::is_arithmetic_v<B>
constexpr std::common_type_t<A, B> min(A a, B b) {
  using T = std::common_type_t<A, B>;
  if constexpr (std::is_floating_point_v<T>)
    return std::fmin(T(a), T(b));
  else
    return T(b) < T(a) ? T(b) : T(a);
}
template <class A, class B>
requires std::is_arithmetic_v<A> && std::is_arithmetic_v<B>
constexpr std::common_type_t<A, B> max(A a, B b) {
  using T = std::common_type_t<A, B>;
  if constexpr (std::is_floating_point_v<T>)
    return std::fmax(T(a), T(b));
  else
    return T(a) < T(b) ? T(b) : T(a);
}

template <class T>
T __ldg(const T* p) {
  return *p;
}
template <class T>
T __ldcs(const T* p) {
  return *p;
}
template <class T>
T __ldca(const T* p) {
  return *p;
}
template <class T>
T __ldcg(const T* p) {
  return *p;
}
template <class T>
void __stcs(T* p, T value) {
  *p = value;
}
template <class T>
void __stcg(T* p, T value) {
  *p = value;
}

// One CPU thread runs everything, so plain operations are atomic. Not instrumented: an atomic
// access is no race.
#define MOEBENCH_ATOMIC __attribute__((no_sanitize("thread"), noinline))
template <class T, class V>
MOEBENCH_ATOMIC T atomicAdd(T* p, V value) {
  const T old = *p;
  *p = static_cast<T>(old + static_cast<T>(value));
  return old;
}
template <class T, class V>
MOEBENCH_ATOMIC T atomicMax(T* p, V value) {
  const T old = *p;
  if (old < static_cast<T>(value)) *p = static_cast<T>(value);
  return old;
}
template <class T, class V>
MOEBENCH_ATOMIC T atomicMin(T* p, V value) {
  const T old = *p;
  if (static_cast<T>(value) < old) *p = static_cast<T>(value);
  return old;
}
template <class T, class V>
MOEBENCH_ATOMIC T atomicOr(T* p, V value) {
  const T old = *p;
  *p = old | static_cast<T>(value);
  return old;
}
template <class T, class V>
MOEBENCH_ATOMIC T atomicExch(T* p, V value) {
  const T old = *p;
  *p = static_cast<T>(value);
  return old;
}
template <class T, class C, class V>
MOEBENCH_ATOMIC T atomicCAS(T* p, C compare, V value) {
  const T old = *p;
  if (old == static_cast<T>(compare)) *p = static_cast<T>(value);
  return old;
}
#undef MOEBENCH_ATOMIC

inline void __threadfence() {}
inline void __threadfence_block() {}
[[noreturn]] inline void __trap() { cuda_emulation::fail("__trap() was called"); }
