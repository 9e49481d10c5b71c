#pragma once

#include "engine/backends/backend.h"
#include "engine/backends/cuda/kernels/mma.cuh"
#include "engine/backends/cuda/kernels/reduce.cuh"

namespace moebench::cuda {

// Attention as tensor-core tiles. A block has up to kQueries queries (the heads of a KV head's
// group, of one or more rows of one sequence), and walks along the cache in steps; scores are
// keys x queries^T, the result is values^T x weights^T, so that cached rows are the tiles' rows.
//
// The order of everything is fixed by positions alone: steps of kStep positions and splits of
// kSplitPositions begin at multiples of themselves; a split runs its own online softmax from
// nothing, and a query's splits are merged in ascending order, by the block that ran them all or by
// merge_splits where each had a block of its own. A step or a split in which a query sees nothing
// leaves it as it was, whatever its company.

inline constexpr std::int64_t kSplitPositions = 512;
inline constexpr int kAttentionThreads = 256;
inline constexpr int kAttentionWarps = kAttentionThreads / kWarpThreads;
inline constexpr int kQueryThreads = 8;  // that share a query's softmax

struct AttentionArguments {
  float* out;
  const float* q;
  const void *keys, *values;  // values: null where they are a prefix of the keys
  std::int64_t out_row, out_head, q_row, q_head;
  std::int64_t key_page, key_token, key_head, value_page, value_token, value_head;
  std::int64_t key_width, value_width;
  std::int64_t n_tokens, heads_per_kv, rows_per_block, head_tiles;
  const std::int32_t *block_table, *positions, *sequence_of_row;
  std::int64_t table_stride;
  std::int64_t window;
  float scale;
  bool wide_loads;  // cached rows start at multiples of 16 bytes and are that long
  // One split a block (grid z): sums, highest score and total weight of each, for merge_splits.
  float* partial;  // (n_tokens, heads, n_splits, value_width + 2), or null: all splits in a block
  std::int64_t n_splits, heads;

  __device__ __forceinline__ std::int64_t first_position(std::int64_t last) const {
    return window > 0 && last - window + 1 > 0 ? last - window + 1 : 0;
  }
  __device__ __forceinline__ float* partial_of(std::int64_t row, std::int64_t head,
                                               std::int64_t split) const {
    return partial + ((row * heads + head) * n_splits + split) * (value_width + 2);
  }
};

/// A width in 16-bit values, rounded up so that rows of it lie 16 bytes apart modulo 128: eight
/// neighbours' pieces are in different banks.
constexpr __host__ __device__ int bank_stride(int width) {
  return ((width * 2 - 16 + 127) / 128 * 128 + 16) / 2;
}
constexpr __host__ __device__ int pad16(std::int64_t width) {
  return static_cast<int>((width + 15) / 16 * 16);
}

/// Weights of what two online softmaxes have summed, when they become one.
struct Merge {
  float keep, add;
};
__device__ __forceinline__ Merge merge_totals(float& highest, float& total, float other_highest,
                                              float other_total) {
  if (other_highest == -INFINITY) return {1.0f, 0.0f};
  const float both_highest = fmaxf(highest, other_highest);
  const Merge m{expf(highest - both_highest), expf(other_highest - both_highest)};
  highest = both_highest;
  total = __fmaf_rn(total, m.keep, other_total * m.add);
  return m;
}
__device__ __forceinline__ float merge_sums(float sum, float other, const Merge& m) {
  return m.add == 0.0f && m.keep == 1.0f ? sum : __fmaf_rn(sum, m.keep, other * m.add);
}

/// kStored: F16 (one plane of half) or F32 (two planes of BF16). kQueryTiles * 8 queries; each warp
/// has kDimTiles * 16 of the values' dimensions, kStep positions pass at a time.
template <DType kStored, int kQueryTiles_, int kDimTiles_, int kStep_>
struct AttentionKind {
  static constexpr DType kCache = kStored;
  static constexpr Element16 kElement =
      kStored == DType::kF16 ? Element16::kHalf : Element16::kBrain;
  static constexpr int kPlanes = kStored == DType::kF16 ? 1 : 2;
  static constexpr int kQueryTiles = kQueryTiles_, kQueries = 8 * kQueryTiles_;
  static constexpr int kDimTiles = kDimTiles_, kStep = kStep_;
  static constexpr int kMaxValueWidth = kAttentionWarps * kDimTiles * 16;
  static constexpr int kWeightStride = bank_stride(kStep);

  static std::size_t shared_bytes(std::int64_t key_width, std::int64_t value_width, bool latent) {
    const std::size_t keys = static_cast<std::size_t>(bank_stride(pad16(key_width)));
    const std::size_t values =
        latent ? 0 : static_cast<std::size_t>(bank_stride(pad16(value_width)));
    const std::size_t halves =
        2 * kQueries * keys + kPlanes * kStep * (keys + values) + 2 * kQueries * kWeightStride;
    return halves * 2 + std::size_t{kQueries} * (kStep + 1 + 4) * 4;
  }
};

/// Copies cached rows of positions start .. start + kStep - 1 into planes of `to` (stride halves a
/// row); zeros outside of first .. last and beyond the width.
template <class Kind>
__device__ __forceinline__ void stage_rows(std::uint16_t* to, int stride, const void* base,
                                           std::int64_t page_stride, std::int64_t token_stride,
                                           std::int64_t width, bool wide, const std::int32_t* pages,
                                           std::int64_t start, std::int64_t first,
                                           std::int64_t last) {
  const int warp = static_cast<int>(threadIdx.x) / kWarpThreads;
  const int lane = static_cast<int>(threadIdx.x) % kWarpThreads;
  const int padded = pad16(width);
  constexpr std::int64_t kPage = KvLayer::kBlockTokens;
  for (int i = warp; i < Kind::kStep; i += kAttentionWarps) {
    const std::int64_t p = start + i;
    std::uint16_t* const row = to + i * stride;
    const bool there = p >= first && p <= last;
    const std::int64_t offset =
        there ? pages[p / kPage] * page_stride + p % kPage * token_stride : 0;
    if constexpr (Kind::kCache == DType::kF16) {
      const auto* const from = static_cast<const std::uint16_t*>(base) + offset;
      if (there && wide) {
        for (int c = lane * 8; c < padded; c += kWarpThreads * 8) {
          if (c < width)
            copy_async_16(row + c, from + c);
          else
            *reinterpret_cast<uint4*>(row + c) = make_uint4(0, 0, 0, 0);
        }
      } else {
        for (int c = lane; c < padded; c += kWarpThreads)
          row[c] = there && c < width ? from[c] : std::uint16_t{0};
      }
    } else {
      const float* const from = static_cast<const float*>(base) + offset;
      for (int c = lane; c < padded; c += kWarpThreads) {
        float v = there && c < width ? from[c] : 0.0f;
#pragma unroll
        for (int plane = 0; plane < Kind::kPlanes; ++plane) {
          const std::uint16_t part = to_brain(v);
          row[plane * Kind::kStep * stride + c] = part;
          v -= from_brain(part);
        }
      }
    }
  }
}

template <class Kind>
__global__ void __launch_bounds__(kAttentionThreads, 1) attention_tiles(AttentionArguments a) {
  constexpr int kQueries = Kind::kQueries, kStep = Kind::kStep, kPlanes = Kind::kPlanes;
  constexpr int kQueryTiles = Kind::kQueryTiles, kDimTiles = Kind::kDimTiles;
  constexpr int kWeightStride = Kind::kWeightStride;
  const int key_padded = pad16(a.key_width), key_stride = bank_stride(key_padded);
  const int value_padded = pad16(a.value_width);
  const bool latent = a.values == nullptr;
  const int value_stride = latent ? key_stride : bank_stride(value_padded);

  auto* const queries = dynamic_shared<std::uint16_t>();            // [2][kQueries]
  std::uint16_t* const keys = queries + 2 * kQueries * key_stride;  // [kPlanes][kStep]
  std::uint16_t* const values = latent ? keys : keys + kPlanes * kStep * key_stride;
  std::uint16_t* const weights =  // [2][kQueries]
      latent ? keys + kPlanes * kStep * key_stride : values + kPlanes * kStep * value_stride;
  auto* const scores = reinterpret_cast<float*>(weights + 2 * kQueries * kWeightStride);
  constexpr int kScoreStride = kStep + 1;
  float* const factors = scores + kQueries * kScoreStride;  // of a query's scores
  float* const keep = factors + kQueries;                   // what its sums are multiplied with
  float* const add = keep + kQueries;
  auto* const query_positions = reinterpret_cast<std::int32_t*>(add + kQueries);

  const int thread = static_cast<int>(threadIdx.x), warp = thread / kWarpThreads;
  const int lane = thread % kWarpThreads, g = lane / 4, t = lane % 4;
  const int own_query = thread / kQueryThreads, share = thread % kQueryThreads;
  const bool has_query = own_query < kQueries;  // whole warps
  const std::int64_t kv_head = blockIdx.y;
  const std::int64_t head_tile = blockIdx.x % a.head_tiles;
  const std::int64_t heads_here =
      min(a.heads_per_kv - head_tile * kQueries, std::int64_t{kQueries});
  const std::int64_t first_head = kv_head * a.heads_per_kv + head_tile * kQueries;
  const std::int64_t rows_begin = blockIdx.x / a.head_tiles * a.rows_per_block;
  const std::int64_t rows_end = min(rows_begin + a.rows_per_block, a.n_tokens);

  for (std::int64_t run = rows_begin, run_end; run < rows_end; run = run_end) {
    // Rows of one sequence: neighbours, in order of position.
    const std::int32_t sequence = a.sequence_of_row[run];
    run_end = run + 1;
    while (run_end < rows_end && a.sequence_of_row[run_end] == sequence) ++run_end;
    const std::int64_t n_queries = (run_end - run) * heads_here;
    const std::int64_t last = a.positions[run_end - 1];
    const std::int64_t first = a.first_position(a.positions[run]);
    const std::int32_t* const pages = a.block_table + sequence * a.table_stride;
    const std::int64_t own_row = run + own_query / heads_here;
    const std::int64_t own_head = first_head + own_query % heads_here;
    const bool is_query = has_query && own_query < n_queries;

    if (has_query) {
      const float* const q = a.q + own_row * a.q_row + own_head * a.q_head;
      float scale = 1.0f;
      if constexpr (Kind::kElement == Element16::kHalf) {
        float largest = 0.0f;
        if (is_query)
          for (int i = share; i < a.key_width; i += kQueryThreads)
            largest = fmaxf(largest, fabsf(q[i]));
        for (int step = kQueryThreads / 2; step > 0; step /= 2)
          largest = fmaxf(largest, __shfl_xor_sync(kWholeWarp, largest, step));
        scale = half_range_scale(largest);
      }
      for (int i = share; i < key_padded; i += kQueryThreads) {
        float v = is_query && i < a.key_width ? q[i] * scale : 0.0f;
#pragma unroll
        for (int plane = 0; plane < 2; ++plane) {
          const std::uint16_t part = to_element<Kind::kElement>(v);
          queries[(plane * kQueries + own_query) * key_stride + i] = part;
          v -= from_element<Kind::kElement>(part);
        }
      }
      if (share == 0) {
        factors[own_query] = a.scale / scale;
        query_positions[own_query] = is_query ? a.positions[own_row] : -1;
      }
    }

    float total[kDimTiles][kQueryTiles][4] = {};
    float total_highest = -INFINITY, total_weight = 0.0f;
    const std::int64_t split_begin = a.partial != nullptr ? blockIdx.z : first / kSplitPositions;
    const std::int64_t split_end =
        a.partial != nullptr ? split_begin + 1 : last / kSplitPositions + 1;
    for (std::int64_t split = split_begin; split < split_end; ++split) {
      float sums[kDimTiles][kQueryTiles][4] = {};
      float highest = -INFINITY, weight = 0.0f;
      const std::int64_t from = max(split * kSplitPositions, first / kStep * kStep);
      const std::int64_t to = min((split + 1) * kSplitPositions, last + 1);
      for (std::int64_t start = from; start < to; start += kStep) {
        stage_rows<Kind>(
            keys, key_stride,
            static_cast<const std::byte*>(a.keys) + kv_head * a.key_head * (kPlanes == 1 ? 2 : 4),
            a.key_page, a.key_token, a.key_width, a.wide_loads, pages, start, first, last);
        if (!latent)
          stage_rows<Kind>(values, value_stride,
                           static_cast<const std::byte*>(a.values) +
                               kv_head * a.value_head * (kPlanes == 1 ? 2 : 4),
                           a.value_page, a.value_token, a.value_width, a.wide_loads, pages, start,
                           first, last);
        commit_copies();
        wait_for_copies<0>();
        __syncthreads();

        // Scores: a warp a tile of 16 positions x 8 queries.
        for (int tile = warp; tile < kStep / 16 * kQueryTiles; tile += kAttentionWarps) {
          const int position = tile / kQueryTiles * 16, query = tile % kQueryTiles * 8;
          float c[4] = {};
          const std::uint16_t* const key_row =
              keys + (position + lane / 8 % 2 * 8 + lane % 8) * key_stride + lane / 16 * 8;
          const std::uint16_t* const query_row = queries + (query + g) * key_stride + 2 * t;
#pragma unroll 2
          for (int k = 0; k < key_padded; k += 16) {
#pragma unroll
            for (int plane = 0; plane < kPlanes; ++plane) {
              std::uint32_t key[4];
              load_matrices<false>(key, key_row + plane * kStep * key_stride + k);
#pragma unroll
              for (int q = 0; q < 2 - plane; ++q) {
                const std::uint16_t* const at = query_row + q * kQueries * key_stride + k;
                multiply_tile<Kind::kElement>(c, key, *reinterpret_cast<const std::uint32_t*>(at),
                                              *reinterpret_cast<const std::uint32_t*>(at + 8));
              }
            }
          }
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            const int at = query + 2 * t + i % 2, cached = position + g + i / 2 * 8;
            const std::int64_t p = start + cached, own = query_positions[at];
            const bool seen = p <= own && p >= a.first_position(own);
            scores[at * kScoreStride + cached] = seen ? c[i] * factors[at] : -INFINITY;
          }
        }
        __syncthreads();

        // Online softmax: eight threads a query.
        if (has_query) {
          const float* const row = scores + own_query * kScoreStride;
          float most = highest;
#pragma unroll
          for (int i = share; i < kStep; i += kQueryThreads) most = fmaxf(most, row[i]);
          for (int step = kQueryThreads / 2; step > 0; step /= 2)
            most = fmaxf(most, __shfl_xor_sync(kWholeWarp, most, step));
          float sum = 0.0f;
#pragma unroll
          for (int i = share; i < kStep; i += kQueryThreads) {
            float v = row[i] == -INFINITY ? 0.0f : expf(row[i] - most);
            sum += v;
#pragma unroll
            for (int plane = 0; plane < 2; ++plane) {
              const std::uint16_t part = to_element<Kind::kElement>(v);
              weights[(plane * kQueries + own_query) * kWeightStride + i] = part;
              v -= from_element<Kind::kElement>(part);
            }
          }
          for (int step = kQueryThreads / 2; step > 0; step /= 2)
            sum += __shfl_xor_sync(kWholeWarp, sum, step);
          const float shrink = most == highest ? 1.0f : expf(highest - most);
          weight = __fmaf_rn(weight, shrink, sum);
          highest = most;
          if (share == 0) keep[own_query] = shrink;
        }
        __syncthreads();

        // Sums: a warp its own dimensions of the values, all queries.
#pragma unroll
        for (int j = 0; j < kQueryTiles; ++j) {
          const float shrink[2] = {keep[j * 8 + 2 * t], keep[j * 8 + 2 * t + 1]};
#pragma unroll
          for (int d = 0; d < kDimTiles; ++d)
#pragma unroll
            for (int i = 0; i < 4; ++i) sums[d][j][i] *= shrink[i % 2];
        }
#pragma unroll
        for (int k = 0; k < kStep; k += 16) {
          std::uint32_t share_of[2][kQueryTiles][2];
#pragma unroll
          for (int q = 0; q < 2; ++q)
#pragma unroll
            for (int j = 0; j < kQueryTiles; ++j)
#pragma unroll
              for (int i = 0; i < 2; ++i)
                share_of[q][j][i] = *reinterpret_cast<const std::uint32_t*>(
                    weights + (q * kQueries + j * 8 + g) * kWeightStride + k + 2 * t + 8 * i);
#pragma unroll
          for (int d = 0; d < kDimTiles; ++d) {
            const int dim = (d * kAttentionWarps + warp) * 16;
            if (dim >= value_padded) continue;  // whole warps
#pragma unroll
            for (int plane = 0; plane < kPlanes; ++plane) {
              std::uint32_t value[4];
              load_matrices<true>(value, values + plane * kStep * value_stride +
                                             (k + lane / 16 * 8 + lane % 8) * value_stride + dim +
                                             lane / 8 % 2 * 8);
#pragma unroll
              for (int j = 0; j < kQueryTiles; ++j)
#pragma unroll
                for (int q = 0; q < 2 - plane; ++q)
                  multiply_tile<Kind::kElement>(sums[d][j], value, share_of[q][j][0],
                                                share_of[q][j][1]);
            }
          }
        }
        __syncthreads();
      }

      if (a.partial != nullptr) {
        // Every query sees something of a split of its own range; others are not read.
        if (is_query && share == 0) {
          float* const to_totals = a.partial_of(own_row, own_head, split) + a.value_width;
          to_totals[0] = highest;
          to_totals[1] = weight;
        }
      } else if (has_query) {
        const Merge m = merge_totals(total_highest, total_weight, highest, weight);
        if (share == 0) {
          keep[own_query] = m.keep;
          add[own_query] = m.add;
        }
      }
      __syncthreads();
#pragma unroll
      for (int d = 0; d < kDimTiles; ++d)
#pragma unroll
        for (int j = 0; j < kQueryTiles; ++j)
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            const int query = j * 8 + 2 * t + i % 2;
            const int dim = (d * kAttentionWarps + warp) * 16 + g + i / 2 * 8;
            if (a.partial == nullptr)
              total[d][j][i] = merge_sums(total[d][j][i], sums[d][j][i], {keep[query], add[query]});
            else if (query < n_queries && dim < a.value_width)
              a.partial_of(run + query / heads_here, first_head + query % heads_here, split)[dim] =
                  sums[d][j][i];
          }
      __syncthreads();
    }
    if (a.partial != nullptr) continue;

    if (has_query && share == 0) keep[own_query] = total_weight;
    __syncthreads();
#pragma unroll
    for (int d = 0; d < kDimTiles; ++d)
#pragma unroll
      for (int j = 0; j < kQueryTiles; ++j)
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int query = j * 8 + 2 * t + i % 2;
          const int dim = (d * kAttentionWarps + warp) * 16 + g + i / 2 * 8;
          if (query < n_queries && dim < a.value_width)
            a.out[(run + query / heads_here) * a.out_row +
                  (first_head + query % heads_here) * a.out_head + dim] =
                total[d][j][i] / keep[query];
        }
    __syncthreads();
  }
}

}  // namespace moebench::cuda
