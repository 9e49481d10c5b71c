#pragma once

#include "engine/backends/cuda/kernels/matmul_formats.cuh"
#include "engine/backends/cuda/kernels/product.cuh"
#include "engine/backends/cuda/kernels/reduce.cuh"

namespace moebench::cuda {

// One definition of a product's bits, two kernels. k is cut into kSlices parts that depend on k
// alone; within a part one tensor-core accumulator goes through k in order, and the parts are added
// in ascending order. `product_few` (few rows of x: the weights' bytes are what takes time) gives
// each of its eight warps a part; `product_many` goes through all parts in each warp. Neither the
// number of rows nor the kernel can be seen in the bits: an output of a tensor-core tile depends on
// its own row and column alone.

inline constexpr int kSlices = 8;
inline constexpr int kTileRows = 16;   // weight rows of a tensor-core tile
inline constexpr int kTileTokens = 8;  // rows of x
inline constexpr int kProductThreads = kSlices * kWarpThreads;
inline constexpr int kManyRows = 8 * kTileRows;  // weight rows of a block of product_many

__device__ __forceinline__ std::int64_t slice_begin(std::int64_t units, int slice) {
  return units * slice / kSlices;
}

/// The rows of x and out that a group of a Product has.
struct GroupRows {
  std::int64_t group;
  std::int64_t count;
  const std::int32_t* list;  // (count), or null: 0, 1, 2, ...

  static __device__ __forceinline__ GroupRows of(const Product& p, unsigned z) {
    GroupRows r;
    r.group = p.active != nullptr ? p.active[z] : static_cast<std::int64_t>(z);
    if (r.group < 0) return {0, 0, nullptr};
    r.count = p.counts != nullptr ? p.counts[r.group] : p.rows;
    r.list = p.list != nullptr ? p.list + r.group * p.list_capacity : nullptr;
    return r;
  }
  __device__ __forceinline__ std::int64_t entry(std::int64_t i) const {
    return list != nullptr ? list[i] : i;
  }
};

__device__ __forceinline__ std::int64_t x_row(const Product& p, const GroupRows& rows,
                                              std::int64_t i) {
  return rows.entry(i) / p.entries_per_row * p.x_step + rows.group * p.x_group_step;
}

__device__ __forceinline__ RowPair weight_rows(const Product& p, const std::byte* weights,
                                               std::int64_t group, std::int64_t tile, int g) {
  // Rows beyond the last read the last one; what comes of it is not written.
  const std::int64_t first = min(tile * kTileRows + g, p.n - 1);
  const std::int64_t second = min(tile * kTileRows + g + 8, p.n - 1);
  const std::byte* const base = weights + group * p.n * p.row_bytes;
  return {base + first * p.row_bytes, base + second * p.row_bytes};
}

__device__ __forceinline__ float silu(float v) { return v / (1.0f + expf(-v)); }

/// What becomes of the product of weight row `n` with entry i of the group.
__device__ __forceinline__ void store(const Product& p, const GroupRows& rows, std::int64_t i,
                                      std::int64_t n, float value, float up) {
  const float scale = p.x.scales[x_row(p, rows, i)];
  value *= scale;
  if (p.up != nullptr) value = silu(value) * (up * scale);
  if (p.bias != nullptr) value += p.bias[n];
  const std::int64_t entry = rows.entry(i);
  if (p.gate_logit != nullptr) value *= 1.0f / (1.0f + expf(-p.gate_logit[entry * p.gate_stride]));
  float* const to = p.out + entry * p.out_stride + rows.group * p.out_group_stride + n;
  *to = p.accumulate ? *to + value : value;
}

/// acc += one block of 32 along k: `x` gives a token tile's operands of a plane.
template <class Format, int kTiles, class LoadX>
__device__ __forceinline__ void multiply_block(float (&acc)[kTiles][4],
                                               const typename Format::Raw& raw, int b, int t,
                                               LoadX&& x) {
  constexpr int kPlanes =
      Format::kWeightPlanes > Format::kRowPlanes ? Format::kWeightPlanes : Format::kRowPlanes;
#pragma unroll
  for (int w = 0; w < Format::kWeightPlanes; ++w) {
    Fragments f;
    Format::fragments(raw, b, w, t, f);
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile)
#pragma unroll
      for (int plane = 0; plane < kPlanes - w; ++plane) {
        const uint4 v = x(tile, plane);
        multiply_tile<Format::kElement>(acc[tile], f[0], v.x, v.y);
        multiply_tile<Format::kElement>(acc[tile], f[1], v.z, v.w);
      }
  }
}

/// Blocks that share a multiprocessor: two where their registers allow it without spilling.
template <int kTiles, bool kGated>
inline constexpr int kFewBlocks = kTiles == 1 && !kGated ? 2 : 1;

/// A block: 16 weight rows (of gate and of up), 8 kTiles rows of x at a time, a warp a slice of k.
template <class Format, int kTiles, bool kGated>
__global__ void __launch_bounds__(kProductThreads, kFewBlocks<kTiles, kGated>)
    product_few(Product p) {
  constexpr int kMatrices = kGated ? 2 : 1, kTokens = kTiles * kTileTokens;
  __shared__ float partial[kMatrices][kSlices][kTokens][kTileRows + 1];
  const GroupRows rows = GroupRows::of(p, blockIdx.z);
  const int slice = static_cast<int>(threadIdx.x) / kWarpThreads;
  const int lane = static_cast<int>(threadIdx.x) % kWarpThreads, g = lane / 4, t = lane % 4;
  const std::int64_t tile = blockIdx.x;
  const RowPair first = weight_rows(p, p.weights, rows.group, tile, g);
  const RowPair second = weight_rows(p, kGated ? p.up : p.weights, rows.group, tile, g);
  const std::int64_t begin = slice_begin(p.units, slice), end = slice_begin(p.units, slice + 1);

  for (std::int64_t start = blockIdx.y * kTokens; start < rows.count;
       start += gridDim.y * kTokens) {
    const std::uint16_t* x[kTiles];
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      const std::int64_t at = min(start + i * kTileTokens + g, rows.count - 1);
      x[i] = p.x.values + x_row(p, rows, at) * p.x.k_padded + t * 8;
    }
    float acc[kMatrices][kTiles][4] = {};
    for (std::int64_t unit = begin; unit < end; ++unit) {
      const typename Format::Raw raw = Format::load(first, p.units, unit, t);
      typename Format::Raw raw_up;
      if constexpr (kGated) raw_up = Format::load(second, p.units, unit, t);
#pragma unroll
      for (int b = 0; b < 4; ++b) {
        const auto read_x = [&](int i, int plane) {
          return *reinterpret_cast<const uint4*>(x[i] + plane * p.x.plane_stride() + unit * kUnit +
                                                 b * 32);
        };
        multiply_block<Format>(acc[0], raw, b, t, read_x);
        if constexpr (kGated) multiply_block<Format>(acc[1], raw_up, b, t, read_x);
      }
    }
#pragma unroll
    for (int m = 0; m < kMatrices; ++m)
#pragma unroll
      for (int i = 0; i < kTiles; ++i)
#pragma unroll
        for (int c = 0; c < 4; ++c)
          partial[m][slice][i * kTileTokens + 2 * t + c % 2][g + c / 2 * 8] = acc[m][i][c];
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < kTokens * kTileRows; i += kProductThreads) {
      const int token = i / kTileRows, row = i % kTileRows;
      if (start + token >= rows.count || tile * kTileRows + row >= p.n) continue;
      float sums[kMatrices] = {};
      for (int s = 0; s < kSlices; ++s)
        for (int m = 0; m < kMatrices; ++m) sums[m] += partial[m][s][token][row];
      store(p, rows, start + token, tile * kTileRows + row, sums[0], sums[kMatrices - 1]);
    }
    __syncthreads();
  }
}

/// Shared memory of product_many: two stages of one unit of kTiles * 8 rows of x.
template <class Format, int kTiles>
constexpr std::size_t many_shared_bytes() {
  return std::size_t{2} * Format::kRowPlanes * kTiles * kTileTokens * kUnit * 2;
}

/// A block: 128 weight rows (64 of gate and as many of up make no difference: each warp has 16 of
/// either), 8 kTiles rows of x at a time, which pass through shared memory unit by unit; a warp
/// keeps its weights to itself.
template <class Format, int kTiles, bool kGated>
__global__ void __launch_bounds__(kProductThreads, 1) product_many(Product p) {
  constexpr int kMatrices = kGated ? 2 : 1, kTokens = kTiles * kTileTokens;
  constexpr int kPieces = kUnit / 8;  // 16-byte pieces of a row of x
  constexpr int kStagePieces = Format::kRowPlanes * kTokens * kPieces;
  uint4* const stages = dynamic_shared<uint4>();
  const GroupRows rows = GroupRows::of(p, blockIdx.z);
  const int thread = static_cast<int>(threadIdx.x), warp = thread / kWarpThreads;
  const int lane = thread % kWarpThreads, g = lane / 4, t = lane % 4;
  const std::int64_t tile = static_cast<std::int64_t>(blockIdx.x) * (kManyRows / kTileRows) + warp;
  const RowPair first = weight_rows(p, p.weights, rows.group, tile, g);
  const RowPair second = weight_rows(p, kGated ? p.up : p.weights, rows.group, tile, g);

  for (std::int64_t start = blockIdx.y * kTokens; start < rows.count;
       start += gridDim.y * kTokens) {
    // Piece c of row r goes to place c ^ 4 (r % 2): the rows that a quarter of a warp reads
    // together lie in different banks.
    const auto copy_unit = [&](std::int64_t unit) {
      uint4* const stage = stages + unit % 2 * kStagePieces;
#pragma unroll
      for (int i = 0; i < kTokens * kPieces / kProductThreads; ++i) {
        const int at = thread + i * kProductThreads, row = at / kPieces, piece = at % kPieces;
        const std::int64_t from = min(start + row, rows.count - 1);
        const std::uint16_t* const x =
            p.x.values + x_row(p, rows, from) * p.x.k_padded + unit * kUnit + piece * 8;
#pragma unroll
        for (int plane = 0; plane < Format::kRowPlanes; ++plane)
          copy_async_16(stage + (plane * kTokens + row) * kPieces + (piece ^ row % 2 * 4),
                        x + plane * p.x.plane_stride());
      }
      commit_copies();
    };
    float acc[kMatrices][kTiles][4] = {}, total[kMatrices][kTiles][4] = {};
    copy_unit(0);
    int slice = 0;
    for (std::int64_t unit = 0; unit < p.units; ++unit) {
      const typename Format::Raw raw = Format::load(first, p.units, unit, t);
      typename Format::Raw raw_up;
      if constexpr (kGated) raw_up = Format::load(second, p.units, unit, t);
      if (unit + 1 < p.units) {
        copy_unit(unit + 1);
        wait_for_copies<1>();
      } else {
        wait_for_copies<0>();
      }
      __syncthreads();
      const uint4* const stage = stages + unit % 2 * kStagePieces;
#pragma unroll
      for (int b = 0; b < 4; ++b) {
        const auto read_x = [&](int i, int plane) {
          return stage[(plane * kTokens + i * kTileTokens + g) * kPieces +
                       ((b * 4 + t) ^ g % 2 * 4)];
        };
        multiply_block<Format>(acc[0], raw, b, t, read_x);
        if constexpr (kGated) multiply_block<Format>(acc[1], raw_up, b, t, read_x);
      }
      __syncthreads();
      while (slice < kSlices && slice_begin(p.units, slice + 1) <= unit + 1) {
        // A slice ends (several do where k is short: the empty ones add zero).
#pragma unroll
        for (int m = 0; m < kMatrices; ++m)
#pragma unroll
          for (int i = 0; i < kTiles; ++i)
#pragma unroll
            for (int c = 0; c < 4; ++c) {
              total[m][i][c] += acc[m][i][c];
              acc[m][i][c] = 0.0f;
            }
        ++slice;
      }
    }
#pragma unroll
    for (int i = 0; i < kTiles; ++i)
#pragma unroll
      for (int c = 0; c < 4; ++c) {
        const std::int64_t token = start + i * kTileTokens + 2 * t + c % 2;
        const std::int64_t row = tile * kTileRows + g + c / 2 * 8;
        if (token < rows.count && row < p.n)
          store(p, rows, token, row, total[0][i][c], total[kMatrices - 1][i][c]);
      }
  }
}

/// Enqueues the kernel for this format; each format's source file has this alone.
template <class Format>
void run_product_in(const Product& p, const ProductShape& shape, cudaStream_t stream) {
  const auto few = [&](auto kernel, int tokens) {
    const dim3 grid(grid_size(ceil_div(p.n, kTileRows)), grid_size(shape.row_blocks(tokens)),
                    grid_size(shape.groups));
    launch(kernel, grid, kProductThreads, 0, stream, p);
  };
  const auto many = [&](auto kernel, int tokens, std::size_t shared) {
    const dim3 grid(grid_size(ceil_div(p.n, kManyRows)), grid_size(shape.row_blocks(tokens)),
                    grid_size(shape.groups));
    launch(kernel, grid, kProductThreads, shared, stream, p);
  };
  const bool gated = p.up != nullptr;
  switch (shape.kind()) {
    case ProductKind::kOneTile:
      return gated ? few(product_few<Format, 1, true>, 8) : few(product_few<Format, 1, false>, 8);
    case ProductKind::kFew:
      return gated ? few(product_few<Format, 4, true>, 32) : few(product_few<Format, 4, false>, 32);
    case ProductKind::kMany:
      return gated ? many(product_many<Format, 4, true>, 32, many_shared_bytes<Format, 4>())
                   : many(product_many<Format, 8, false>, 64, many_shared_bytes<Format, 8>());
  }
}

}  // namespace moebench::cuda
