#include "engine/backends/cuda/kernels/experts.cuh"

#include <algorithm>

#include "engine/backends/cuda/kernels/expert_products.cuh"
#include "engine/backends/cuda/kernels/reduce.cuh"

namespace moebench::cuda {
namespace {

struct Choice {
  const std::int32_t* ids;  // (tokens, top_k)
  const float* weights;     // the same shape
  std::int64_t ids_stride, weights_stride;
  std::int64_t tokens, top_k, n_experts;

  /// Expert of entry t * top_k + j.
  __device__ std::int64_t expert(std::int64_t entry) const {
    return ids[entry / top_k * ids_stride + entry % top_k];
  }
};

/// Places of the threads that say yes, in the order of their numbers, after `*total`; adds their
/// number to it. `base` holds one word a warp.
__device__ int place_in_block(bool yes, int* base, int* total) {
  const int warp = static_cast<int>(threadIdx.x) / kWarpThreads;
  const int lane = static_cast<int>(threadIdx.x) % kWarpThreads;
  const unsigned votes = __ballot_sync(kWholeWarp, yes);
  if (lane == 0) base[warp] = __popc(votes);
  __syncthreads();
  int place = *total;
  for (int w = 0; w < warp; ++w) place += base[w];
  place += __popc(votes & ((1u << lane) - 1));
  for (int w = 0; w < kRowThreads / kWarpThreads; ++w) *total += base[w];
  __syncthreads();
  return place;
}

/// A block an expert: its entries, ascending, into list (n_experts, capacity), their number into
/// counts. An entry whose id names no expert is on no list.
__global__ void __launch_bounds__(kRowThreads)
    list_entries(std::int32_t* list, std::int32_t* counts, std::int64_t capacity, Choice choice) {
  __shared__ int base[kRowThreads / kWarpThreads];
  const std::int64_t expert = blockIdx.x;
  std::int32_t* const out = list + expert * capacity;
  const std::int64_t entries = choice.tokens * choice.top_k;
  int total = 0;
  for (std::int64_t start = 0; start < entries; start += kRowThreads) {
    const std::int64_t entry = start + threadIdx.x;
    const bool mine = entry < entries && choice.expert(entry) == expert;
    const int place = place_in_block(mine, base, &total);
    if (mine) out[place] = static_cast<std::int32_t>(entry);
  }
  if (threadIdx.x == 0) counts[expert] = total;
}

/// The experts that have entries, ascending, into active (limit); -1 behind them.
__global__ void __launch_bounds__(kRowThreads)
    list_active(std::int32_t* active, std::int64_t limit, const std::int32_t* counts,
                std::int64_t n_experts) {
  __shared__ int base[kRowThreads / kWarpThreads];
  int total = 0;
  for (std::int64_t start = 0; start < n_experts; start += kRowThreads) {
    const std::int64_t expert = start + threadIdx.x;
    const bool is_active = expert < n_experts && counts[expert] > 0;
    const int place = place_in_block(is_active, base, &total);
    if (is_active) active[place] = static_cast<std::int32_t>(expert);
  }
  for (std::int64_t i = total + threadIdx.x; i < limit; i += kRowThreads) active[i] = -1;
}

constexpr int kMaxTopK = 64;
constexpr int kCombineColumns = kRowThreads;

/// A block 256 columns of a row: out += weight * y, the row's experts in ascending order.
__global__ void __launch_bounds__(kRowThreads)
    combine(float* out, std::int64_t out_stride, const float* y, std::int64_t hidden,
            Choice choice) {
  __shared__ int order[kMaxTopK];
  const std::int64_t row = blockIdx.y;
  const int top_k = static_cast<int>(choice.top_k);
  const std::int32_t* const ids = choice.ids + row * choice.ids_stride;
  for (int j = static_cast<int>(threadIdx.x); j < top_k; j += kRowThreads) {
    int rank = 0;
    for (int i = 0; i < top_k; ++i) rank += ids[i] < ids[j] || (ids[i] == ids[j] && i < j);
    order[rank] = j;
  }
  __syncthreads();
  const std::int64_t column = blockIdx.x * static_cast<std::int64_t>(kCombineColumns) + threadIdx.x;
  if (column >= hidden) return;
  float sum = out[row * out_stride + column];
  for (int i = 0; i < top_k; ++i) {
    const int j = order[i];
    if (ids[j] < 0 || ids[j] >= choice.n_experts) continue;
    sum += choice.weights[row * choice.weights_stride + j] *
           y[(row * choice.top_k + j) * hidden + column];
  }
  out[row * out_stride + column] = sum;
}

}  // namespace

void experts(DeviceContext& device, const Tensor& out, const Tensor& x, const DeviceExperts& e,
             const Tensor& expert_ids, const Tensor& expert_weights) {
  const std::int64_t tokens = x.shape[0], top_k = expert_ids.shape[1], entries = tokens * top_k;
  if (entries == 0) return;
  MOEBENCH_CHECK(top_k <= kMaxTopK && x.shape[1] == e.hidden && out.shape[1] == e.hidden);
  const Choice choice{static_cast<const std::int32_t*>(expert_ids.data),
                      static_cast<const float*>(expert_weights.data),
                      expert_ids.strides[0],
                      expert_weights.strides[0],
                      tokens,
                      top_k,
                      e.n_experts};
  const std::int64_t groups = std::min(e.n_experts, entries);

  // Scratch: the products' part, y (entries, hidden), lists (experts, entries), counts, active. A
  // row may name an expert twice: a list has room for all entries.
  const ExpertWorkspace sizes = expert_workspace(e, tokens, entries);
  const auto y_bytes = static_cast<std::size_t>(entries * e.hidden * 4);
  const auto list_bytes = static_cast<std::size_t>(e.n_experts * entries * 4);
  std::byte* const memory = device.scratch->take(
      sizes.bytes + y_bytes + list_bytes + static_cast<std::size_t>(e.n_experts + groups) * 4);
  auto* const y = reinterpret_cast<float*>(memory + sizes.bytes);
  auto* const list = reinterpret_cast<std::int32_t*>(memory + sizes.bytes + y_bytes);
  std::int32_t* const counts = list + e.n_experts * entries;
  std::int32_t* const active = counts + e.n_experts;

  launch(list_entries, grid_size(e.n_experts), kRowThreads, 0, device.stream, list, counts, entries,
         choice);
  launch(list_active, 1, kRowThreads, 0, device.stream, active, groups, counts, e.n_experts);
  const auto grouped = [&](Product& p) {
    p.active = active;
    p.counts = counts;
    p.list = list;
    p.list_capacity = entries;
  };
  const ProductShape shape{groups, ceil_div(entries, groups), entries};

  Product inner = expert_input_product(e, sizes, memory, tokens);
  grouped(inner);
  inner.entries_per_row = top_k;
  round_rows(device, inner.x, x);
  run_product(e.gate.dtype, inner, shape, device.stream);

  Product down = expert_output_product(e, sizes, memory, entries);
  grouped(down);
  down.out = y;
  down.out_stride = e.hidden;
  round_rows(device, down.x, inner_rows(inner, e, entries));
  run_product(e.down.dtype, down, shape, device.stream);

  launch(combine, dim3(grid_size(ceil_div(e.hidden, kCombineColumns)), grid_size(tokens)),
         kRowThreads, 0, device.stream, static_cast<float*>(out.data), out.strides[0], y, e.hidden,
         choice);
}

}  // namespace moebench::cuda
