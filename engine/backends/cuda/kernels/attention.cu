#include "engine/backends/cuda/kernels/attention.cuh"

#include <algorithm>

#include "engine/backends/cuda/kernels/attention_kernel.cuh"
#include "engine/base/check.h"

namespace moebench::cuda {
namespace {

constexpr int kMergeThreads = 128;

/// A block a (row, head): its splits, in ascending order, become one.
__global__ void __launch_bounds__(kMergeThreads) merge_splits(AttentionArguments a) {
  const std::int64_t row = blockIdx.x / a.heads, head = blockIdx.x % a.heads;
  const std::int64_t last = a.positions[row];
  const std::int64_t first = a.first_position(last);
  for (std::int64_t dim = threadIdx.x; dim < a.value_width; dim += kMergeThreads) {
    float sum = 0.0f, highest = -INFINITY, weight = 0.0f;
    for (std::int64_t split = first / kSplitPositions; split <= last / kSplitPositions; ++split) {
      const float* const part = a.partial_of(row, head, split);
      const Merge m = merge_totals(highest, weight, part[a.value_width], part[a.value_width + 1]);
      sum = merge_sums(sum, part[dim], m);
    }
    a.out[row * a.out_row + head * a.out_head + dim] = sum / weight;
  }
}

// Below this many blocks the device has idle multiprocessors, and a decode step's splits get blocks
// of their own; their sums must fit the budget.
constexpr std::int64_t kBlocksPerMultiprocessor = 2;
constexpr std::int64_t kPartialBudgetBytes = 256 << 20;

template <class Kind>
void run(DeviceContext& device, AttentionArguments a, std::int64_t kv_heads, bool decode,
         std::int64_t max_context) {
  a.head_tiles = ceil_div(a.heads_per_kv, Kind::kQueries);
  a.rows_per_block = decode ? 1 : std::max<std::int64_t>(1, Kind::kQueries / a.heads_per_kv);
  const std::int64_t blocks = ceil_div(a.n_tokens, a.rows_per_block) * a.head_tiles;
  const std::int64_t n_splits = ceil_div(max_context, kSplitPositions);
  const std::int64_t partial_bytes = a.n_tokens * a.heads * n_splits * (a.value_width + 2) * 4;
  const bool split = decode && n_splits > 1 && partial_bytes <= kPartialBudgetBytes &&
                     blocks * kv_heads < kBlocksPerMultiprocessor * device.n_multiprocessors;
  if (split) {
    a.partial =
        reinterpret_cast<float*>(device.scratch->take(static_cast<std::size_t>(partial_bytes)));
    a.n_splits = n_splits;
  }
  const dim3 grid(grid_size(blocks), grid_size(kv_heads), grid_size(split ? n_splits : 1));
  launch(attention_tiles<Kind>, grid, kAttentionThreads,
         Kind::shared_bytes(a.key_width, a.value_width, a.values == nullptr), device.stream, a);
  if (split)
    launch(merge_splits, grid_size(a.n_tokens * a.heads), kMergeThreads, 0, device.stream, a);
}

/// The widest tile of queries that is filled and fits the device.
template <DType kCache>
void choose(DeviceContext& device, const AttentionArguments& a, std::int64_t kv_heads, bool decode,
            std::int64_t max_context) {
  using Narrow = AttentionKind<kCache, 1, 1, kCache == DType::kF16 ? 64 : 32>;
  using NarrowMany = AttentionKind<kCache, 4, 1, kCache == DType::kF16 ? 64 : 32>;
  using Wide = AttentionKind<kCache, 1, 4, 32>;
  using WideMany = AttentionKind<kCache, 2, 4, 32>;
  const bool latent = a.values == nullptr;
  const bool many = !decode || a.heads_per_kv > 8;
  const auto fits = [&]<class Kind>(Kind) {
    return Kind::shared_bytes(a.key_width, a.value_width, latent) <= device.max_shared_bytes;
  };
  MOEBENCH_CHECK(a.value_width <= Wide::kMaxValueWidth);
  if (a.value_width <= Narrow::kMaxValueWidth) {
    if (many && fits(NarrowMany{}))
      return run<NarrowMany>(device, a, kv_heads, decode, max_context);
    if (fits(Narrow{})) return run<Narrow>(device, a, kv_heads, decode, max_context);
  } else {
    if (many && fits(WideMany{})) return run<WideMany>(device, a, kv_heads, decode, max_context);
    if (fits(Wide{})) return run<Wide>(device, a, kv_heads, decode, max_context);
  }
  MOEBENCH_CHECK(!"the keys fit a block's shared memory");
}

}  // namespace

void attention(DeviceContext& device, const Tensor& out, const Tensor& q, const KvLayer& cache,
               const AttentionBatch& batch, const AttentionOptions& options) {
  if (batch.n_tokens == 0) return;
  const Tensor &keys = cache.keys, &values = cache.values;
  const std::int64_t kv_heads = keys.shape[2];
  MOEBENCH_CHECK(q.shape[1] % kv_heads == 0);
  const auto ints = [](const Tensor& t) { return static_cast<const std::int32_t*>(t.data); };
  AttentionArguments a{};
  a.out = static_cast<float*>(out.data);
  a.out_row = out.strides[0];
  a.out_head = out.strides[1];
  a.q = static_cast<const float*>(q.data);
  a.q_row = q.strides[0];
  a.q_head = q.strides[1];
  a.keys = keys.data;
  a.key_page = keys.strides[0];
  a.key_token = keys.strides[1];
  a.key_head = keys.strides[2];
  a.key_width = keys.shape[3];
  a.value_width = cache.value_width;
  a.values = values.data;
  if (values.data != nullptr) {
    a.value_page = values.strides[0];
    a.value_token = values.strides[1];
    a.value_head = values.strides[2];
  }
  a.n_tokens = batch.n_tokens;
  a.heads = q.shape[1];
  a.heads_per_kv = q.shape[1] / kv_heads;
  a.block_table = ints(batch.block_table);
  a.table_stride = batch.block_table.strides[0];
  a.positions = ints(batch.positions);
  a.sequence_of_row = ints(batch.sequence_of_row);
  a.window = options.sliding_window_tokens;
  a.scale = options.scale;
  const auto whole = [](std::int64_t halves) { return halves % 8 == 0; };
  a.wide_loads = whole(a.key_page) && whole(a.key_token) && whole(a.key_head) &&
                 whole(a.key_width) && whole(a.value_page) && whole(a.value_token) &&
                 whole(a.value_head) && (values.data == nullptr || whole(a.value_width)) &&
                 reinterpret_cast<std::uintptr_t>(keys.data) % 16 == 0 &&
                 reinterpret_cast<std::uintptr_t>(values.data) % 16 == 0;
  const bool decode = batch.n_tokens == batch.n_sequences;
  const std::int64_t context = batch.max_context_tokens;
  if (keys.dtype == DType::kF16)
    choose<DType::kF16>(device, a, kv_heads, decode, context);
  else
    choose<DType::kF32>(device, a, kv_heads, decode, context);
}

}  // namespace moebench::cuda
