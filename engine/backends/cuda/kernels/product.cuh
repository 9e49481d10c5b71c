#pragma once

#include <cstdint>

#include "engine/backends/cuda/kernels/round_rows.cuh"

namespace moebench::cuda {

/// Rows of x times packed weights, the one form that all matrix ops take: out[e] = W[group] x[e]
/// for the entries e of each group (a dense matrix: one group; heads: a group a head; experts: a
/// group an expert, its entries on a list).
struct Product {
  const std::byte* weights = nullptr;  // (groups * n) packed rows
  const std::byte* up = nullptr;       // the same shape: out = silu(weights x) * (up x)
  std::int64_t row_bytes = 0;
  std::int64_t n = 0;
  std::int64_t units = 0;  // packed_units(k)

  RoundedRows x;  // entry e of group z: row e / entries_per_row * x_step + z * x_group_step
  std::int64_t entries_per_row = 1, x_step = 1, x_group_step = 0;

  std::int64_t rows = 0;                 // entries of each group, unless counts are given
  const std::int32_t* active = nullptr;  // (grid z): the group of each; < 0: none
  const std::int32_t* counts = nullptr;  // (groups)
  const std::int32_t* list = nullptr;    // (groups, list_capacity): entries, ascending
  std::int64_t list_capacity = 0;

  float* out = nullptr;  // entry e, column n: out[e * out_stride + z * out_group_stride + n]
  std::int64_t out_stride = 0, out_group_stride = 0;
  const float* bias = nullptr;        // (n)
  const float* gate_logit = nullptr;  // entry e: times sigmoid(gate_logit[e * gate_stride])
  std::int64_t gate_stride = 0;
  bool accumulate = false;
};

enum class ProductKind {
  kOneTile,  ///< product_few, 8 rows of x at a time
  kFew,      ///< product_few, 32
  kMany      ///< product_many, 64 (32 when gated)
};

/// What the choice of a kernel and its grid hang on. The bits don't.
struct ProductShape {
  std::int64_t groups = 1;         // grid z
  std::int64_t expected_rows = 1;  // of a group, about
  std::int64_t most_rows = 1;      // of a group, at most

  /// The weights of a group are read once up to 32 rows; at 64 rows reading them a second time
  /// (from L2) still costs less than product_many's missing blocks.
  ProductKind kind() const {
    if (most_rows <= 8 || (expected_rows <= 4 && groups > 1)) return ProductKind::kOneTile;
    return expected_rows <= 64 ? ProductKind::kFew : ProductKind::kMany;
  }
  /// Blocks along the rows of x; a block goes on to further rows where there are more.
  std::int64_t row_blocks(std::int64_t rows_of_block) const {
    const std::int64_t rows = groups > 1 ? expected_rows : most_rows;
    return (rows + rows_of_block - 1) / rows_of_block;
  }
};

/// Planes of x that a packed type is multiplied with, and their element.
int row_planes(DType packed);
bool row_is_brain(DType packed);

/// Enqueues the product; `packed` is the weights' type.
void run_product(DType packed, const Product& p, const ProductShape& shape, cudaStream_t stream);

}  // namespace moebench::cuda
