#include "engine/backends/cuda/kernels/rope.cuh"

#include <cuda_fp16.h>

#include "engine/backends/cuda/launch.h"

namespace moebench::cuda {
namespace {

constexpr int kThreads = 128;

struct Rope {
  float* x;
  const float* cos_sin;
  std::int64_t n_pairs_total, heads, pairs;
  std::int64_t row, head, angle_row;  // strides in elements
  bool halves;
};

__global__ void __launch_bounds__(kThreads) rope_f32(Rope a) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= a.n_pairs_total) return;
  const std::int64_t pair = i % a.pairs, head = i / a.pairs % a.heads,
                     token = i / a.pairs / a.heads;
  float* const v = a.x + token * a.row + head * a.head;
  float* const first = v + (a.halves ? pair : 2 * pair);
  float* const second = v + (a.halves ? pair + a.pairs : 2 * pair + 1);
  const float* const angle = a.cos_sin + token * a.angle_row + 2 * pair;
  const float c = angle[0], s = angle[1], p = *first, q = *second;
  *first = p * c - q * s;
  *second = q * c + p * s;
}

/// One of the cache's two halves: where rows come from and where pages are.
struct CachePart {
  void* pages;
  const float* from;
  std::int64_t width;                  // of a head
  std::int64_t row, head;              // strides of `from`, in elements
  std::int64_t page, slot, page_head;  // strides of `pages`, in elements
  bool half;
};

struct CacheWrite {
  CachePart parts[2];
  std::int64_t heads;
  const std::int32_t *sequence_of_row, *positions, *block_table;
  std::int64_t table_row;
};

__global__ void __launch_bounds__(kThreads) cache_write_rows(CacheWrite a) {
  const std::int64_t token = blockIdx.x;
  const CachePart& part = a.parts[blockIdx.y];
  const std::int64_t position = a.positions[token];
  const std::int64_t page =
      a.block_table[a.sequence_of_row[token] * a.table_row + position / KvLayer::kBlockTokens];
  const std::int64_t to = page * part.page + position % KvLayer::kBlockTokens * part.slot;
  for (std::int64_t i = threadIdx.x; i < a.heads * part.width; i += kThreads) {
    const std::int64_t head = i / part.width, at = i % part.width;
    const float value = part.from[token * part.row + head * part.head + at];
    const std::int64_t slot = to + head * part.page_head + at;
    if (part.half)
      static_cast<__half*>(part.pages)[slot] = __float2half_rn(value);
    else
      static_cast<float*>(part.pages)[slot] = value;
  }
}

CachePart part_of(const Tensor& pages, const Tensor& from) {
  return {pages.data,
          static_cast<const float*>(from.data),
          pages.shape[3],
          from.strides[0],
          from.strides[1],
          pages.strides[0],
          pages.strides[1],
          pages.strides[2],
          pages.dtype == DType::kF16};
}

}  // namespace

void rope(DeviceContext& device, const Tensor& x, const Tensor& cos_sin, RopePairing pairing) {
  const std::int64_t pairs = x.shape[2] / 2, total = x.shape[0] * x.shape[1] * pairs;
  if (total == 0) return;
  const Rope a{static_cast<float*>(x.data),
               static_cast<const float*>(cos_sin.data),
               total,
               x.shape[1],
               pairs,
               x.strides[0],
               x.strides[1],
               cos_sin.strides[0],
               pairing == RopePairing::kHalves};
  launch(rope_f32, grid_size(ceil_div(total, kThreads)), kThreads, 0, device.stream, a);
}

void cache_write(DeviceContext& device, const KvLayer& cache, const Tensor& keys,
                 const Tensor& values, const AttentionBatch& batch) {
  if (batch.n_tokens == 0) return;
  const bool separate = cache.values.data != nullptr;
  CacheWrite a{};
  a.parts[0] = part_of(cache.keys, keys);
  if (separate) a.parts[1] = part_of(cache.values, values);
  a.heads = cache.keys.shape[2];
  a.sequence_of_row = static_cast<const std::int32_t*>(batch.sequence_of_row.data);
  a.positions = static_cast<const std::int32_t*>(batch.positions.data);
  a.block_table = static_cast<const std::int32_t*>(batch.block_table.data);
  a.table_row = batch.block_table.strides[0];
  launch(cache_write_rows, dim3(grid_size(batch.n_tokens), separate ? 2 : 1), kThreads, 0,
         device.stream, a);
}

}  // namespace moebench::cuda
