#pragma once

#include <cstdint>

#include "engine/backends/cuda/launch.h"

#ifdef MOEBENCH_CUDA_EMULATED
#include "cuda_emulation_tensor_core.h"
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

// Tensor-core tiles, pairs of 16-bit values in a register, asynchronous copies: what the matrix and
// attention kernels are made of. A pair holds its first value in the lower half.

namespace moebench::cuda {

/// Half: 11 bits, 2^-24 .. 65504. Brain: 8 bits, F32's range.
enum class Element16 { kHalf, kBrain };

#ifdef MOEBENCH_CUDA_EMULATED

inline std::uint16_t to_half(float v) { return f32_to_f16(v); }
inline std::uint16_t to_brain(float v) { return f32_to_bf16(v); }
inline float from_half(std::uint16_t v) { return f16_to_f32(v); }
inline float from_brain(std::uint16_t v) { return bf16_to_f32(v); }

template <class Operation>
std::uint32_t half_pairwise(std::uint32_t a, std::uint32_t b, std::uint32_t c, Operation op) {
  const auto half = [](std::uint32_t pair, int i) {
    return static_cast<double>(f16_to_f32(static_cast<std::uint16_t>(pair >> (16 * i))));
  };
  std::uint32_t result = 0;
  for (int i = 0; i < 2; ++i)
    result |= static_cast<std::uint32_t>(
                  f32_to_f16(static_cast<float>(op(half(a, i), half(b, i), half(c, i)))))
              << (16 * i);
  return result;
}
inline std::uint32_t half_sub(std::uint32_t a, std::uint32_t b) {
  return half_pairwise(a, b, 0, [](double x, double y, double) { return x - y; });
}
inline std::uint32_t half_mul(std::uint32_t a, std::uint32_t b) {
  return half_pairwise(a, b, 0, [](double x, double y, double) { return x * y; });
}
inline std::uint32_t half_fma(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  return half_pairwise(a, b, c, [](double x, double y, double z) { return x * y + z; });
}

template <Element16 kElement>
void multiply_tile(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  cuda_emulation::mma_m16n8k16(c, a, b0, b1, kElement == Element16::kBrain);
}
template <bool kTransposed>
void load_matrices(std::uint32_t (&to)[4], const void* row) {
  cuda_emulation::ldmatrix_x4(to, row, kTransposed);
}
inline void copy_async_16(void* shared, const void* global) {
  cuda_emulation::copy_async_16(shared, global);
}
inline void commit_copies() { cuda_emulation::commit_copies(); }
template <int kGroupsLeft>
void wait_for_copies() {
  cuda_emulation::wait_for_copies(kGroupsLeft);
}

#else

__device__ __forceinline__ std::uint16_t to_half(float v) {
  return __half_as_ushort(__float2half_rn(v));
}
__device__ __forceinline__ std::uint16_t to_brain(float v) {
  return __bfloat16_as_ushort(__float2bfloat16_rn(v));
}
__device__ __forceinline__ float from_half(std::uint16_t v) {
  return __half2float(__ushort_as_half(v));
}
__device__ __forceinline__ float from_brain(std::uint16_t v) {
  return __uint_as_float(static_cast<std::uint32_t>(v) << 16);
}

__device__ __forceinline__ std::uint32_t half_sub(std::uint32_t a, std::uint32_t b) {
  std::uint32_t d;
  asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
  return d;
}
__device__ __forceinline__ std::uint32_t half_mul(std::uint32_t a, std::uint32_t b) {
  std::uint32_t d;
  asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
  return d;
}
__device__ __forceinline__ std::uint32_t half_fma(std::uint32_t a, std::uint32_t b,
                                                  std::uint32_t c) {
  std::uint32_t d;
  asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}

/// c (16, 8) += a (16, 16) b (16, 8), operands spread over the warp as mma.m16n8k16 wants them:
/// lane 4 g + t holds rows g and g + 8 of a, column g of b, rows g and g + 8 of columns 2t, 2t + 1
/// of c.
template <Element16 kElement>
__device__ __forceinline__ void multiply_tile(float (&c)[4], const std::uint32_t (&a)[4],
                                              std::uint32_t b0, std::uint32_t b1) {
  if constexpr (kElement == Element16::kHalf)
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  else
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Four 8x8 matrices from shared memory; lane 8 i + r names the 16-byte row r of matrix i.
template <bool kTransposed>
__device__ __forceinline__ void load_matrices(std::uint32_t (&to)[4], const void* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  if constexpr (kTransposed)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
  else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
}

/// Sixteen bytes on their way to shared memory; there after wait_for_copies and a barrier.
__device__ __forceinline__ void copy_async_16(void* shared, const void* global) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(global) : "memory");
}
__device__ __forceinline__ void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
/// Waits until at most this many of the thread's committed groups are under way.
template <int kGroupsLeft>
__device__ __forceinline__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kGroupsLeft) : "memory");
}

#endif

__device__ __forceinline__ std::uint32_t pair_of(std::uint16_t low, std::uint16_t high) {
  return low | static_cast<std::uint32_t>(high) << 16;
}
__device__ __forceinline__ std::uint32_t both(std::uint16_t value) { return pair_of(value, value); }

template <Element16 kElement>
__device__ __forceinline__ std::uint16_t to_element(float v) {
  if constexpr (kElement == Element16::kHalf)
    return to_half(v);
  else
    return to_brain(v);
}
template <Element16 kElement>
__device__ __forceinline__ float from_element(std::uint16_t v) {
  if constexpr (kElement == Element16::kHalf)
    return from_half(v);
  else
    return from_brain(v);
}

/// The power of two that brings a row's largest magnitude to [2^14, 2^15), as a float; 1 for rows
/// of zeros and for rows with infinities or NaNs, which stay what they are.
__device__ __forceinline__ float half_range_scale(float largest) {
  if (!(largest > 0.0f) || !(largest < INFINITY)) return 1.0f;
  const int exponent = static_cast<int>(__float_as_uint(largest) >> 23) - 127;
  const int shift = min(14 - exponent, 100);  // 2^-shift stays a normal number
  return __uint_as_float(static_cast<unsigned>(shift + 127) << 23);
}

}  // namespace moebench::cuda
