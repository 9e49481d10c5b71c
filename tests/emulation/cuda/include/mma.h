#pragma once

#include "cuda_bf16.h"
#include "cuda_fp16.h"

// The warp-level matrix API: 16 x 16 x 16 tiles of half or bfloat16, accumulated in float. Which
// element a lane holds is unspecified in CUDA and arbitrary here: lane l has the elements
// 8 l .. 8 l + 7 of the row-major tile.

namespace nvcuda::wmma {

struct row_major {};
struct col_major {};
struct matrix_a {};
struct matrix_b {};
struct accumulator {};
enum layout_t { mem_row_major, mem_col_major };

template <class Use, int M, int N, int K, class T, class Layout = void>
struct fragment {
  static_assert(M == 16 && N == 16 && K == 16, "the emulation has 16 x 16 x 16 tiles only");
  static constexpr int num_elements = 8;
  using element_type = T;
  T x[num_elements];
};

template <class F>
void fill_fragment(F& f, float value) {
  for (auto& x : f.x) x = static_cast<typename F::element_type>(value);
}

namespace emulated {
/// Offset of this lane's element i in a tile with `stride` elements between rows or columns.
inline std::size_t offset(int i, unsigned stride, bool by_columns) {
  const unsigned e =
      static_cast<unsigned>(cuda_emulation::lane_number()) * 8 + static_cast<unsigned>(i);
  const std::size_t row = e / 16, column = e % 16;
  return by_columns ? column * stride + row : row * stride + column;
}
// CUDA asks for 256-bit aligned tiles and strides of whole 16 bytes.
inline void check_alignment(const void* p, std::size_t stride_bytes) {
  if (reinterpret_cast<std::uintptr_t>(p) % 32 != 0 || stride_bytes % 16 != 0)
    cuda_emulation::fail("a matrix tile is not aligned to 32 bytes, or its stride not to 16");
}
}  // namespace emulated

template <class Use, class T, class Layout>
void load_matrix_sync(fragment<Use, 16, 16, 16, T, Layout>& f, const T* p, unsigned stride,
                      const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  emulated::check_alignment(p, stride * sizeof(T));
  for (int i = 0; i < f.num_elements; ++i)
    f.x[i] = p[emulated::offset(i, stride, std::is_same_v<Layout, col_major>)];
  std::uint64_t values[32];
  cuda_emulation::gather_bits(~0u, 0, values, where);
}
template <class T>
void load_matrix_sync(fragment<accumulator, 16, 16, 16, T>& f, const T* p, unsigned stride,
                      layout_t layout,
                      const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  emulated::check_alignment(p, stride * sizeof(T));
  for (int i = 0; i < f.num_elements; ++i)
    f.x[i] = p[emulated::offset(i, stride, layout == mem_col_major)];
  std::uint64_t values[32];
  cuda_emulation::gather_bits(~0u, 0, values, where);
}
template <class T>
void store_matrix_sync(T* p, const fragment<accumulator, 16, 16, 16, T>& f, unsigned stride,
                       layout_t layout,
                       const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  emulated::check_alignment(p, stride * sizeof(T));
  for (int i = 0; i < f.num_elements; ++i)
    p[emulated::offset(i, stride, layout == mem_col_major)] = f.x[i];
  std::uint64_t values[32];
  cuda_emulation::gather_bits(~0u, 0, values, where);
}

/// d = a b + c.
template <class T, class LayoutA, class LayoutB>
void mma_sync(fragment<accumulator, 16, 16, 16, float>& d,
              const fragment<matrix_a, 16, 16, 16, T, LayoutA>& a,
              const fragment<matrix_b, 16, 16, 16, T, LayoutB>& b,
              const fragment<accumulator, 16, 16, 16, float>& c,
              const cuda_emulation::Where& where = cuda_emulation::Where::current()) {
  float left[8], right[8], product[8];
  for (int i = 0; i < 8; ++i)
    left[i] = static_cast<float>(a.x[i]), right[i] = static_cast<float>(b.x[i]);
  cuda_emulation::tile_product(left, right, product, where);
  for (int i = 0; i < 8; ++i) d.x[i] = c.x[i] + product[i];
}

}  // namespace nvcuda::wmma
