#include "engine/backends/cuda/kernels/route.cuh"

#include "engine/backends/cuda/kernels/reduce.cuh"
#include "engine/backends/cuda/launch.h"

namespace moebench::cuda {
namespace {

constexpr int kNone = 0x7fffffff;

__device__ __forceinline__ float never() { return __int_as_float(static_cast<int>(0xff800000u)); }

struct Route {
  std::int32_t* ids;
  float* weights;
  const float* logits;
  const float* bias;                              // (n_experts) or null
  unsigned long long* counts;                     // (n_experts) or null
  std::int64_t ids_row, weights_row, logits_row;  // strides in elements
  RouterOptions options;
};

/// The index of the highest of n shared values, the lowest index among equals; marks it as taken
/// (-infinity). NaN and taken ones lose; kNone when nothing else is left. Same result in all lanes.
__device__ int take_best(float* values, int n) {
  const int lane = static_cast<int>(threadIdx.x);
  float best = never();
  int index = kNone;
  for (int i = lane; i < n; i += kWarpThreads)
    if (values[i] > best) {
      best = values[i];
      index = i;
    }
  for (int step = kWarpThreads / 2; step > 0; step /= 2) {
    const float other = __shfl_xor_sync(kWholeWarp, best, step);
    const int other_index = __shfl_xor_sync(kWholeWarp, index, step);
    if (other > best || (other == best && other_index < index)) {
      best = other;
      index = other_index;
    }
  }
  __syncwarp();  // all have read
  if (index != kNone && lane == 0) values[index] = never();
  __syncwarp();
  return index;
}

/// Leaves -infinity in the experts of all but the best groups.
__device__ void keep_best_groups(const RouterOptions& o, float* choice, float* group_scores) {
  const int lane = static_cast<int>(threadIdx.x);
  const int size = o.n_experts / o.n_groups;
  for (int g = lane; g < o.n_groups; g += kWarpThreads) {
    float first = never(), second = never();
    for (int i = 0; i < size; ++i) {
      const float v = choice[g * size + i];
      if (v > first) {
        second = first;
        first = v;
      } else if (v > second) {
        second = v;
      }
    }
    const bool sum = o.group_score == RouterGroupScore::kTop2Sum && size > 1;
    group_scores[g] = sum ? first + second : first;
  }
  __syncwarp();
  // What stays in group_scores after the choice are the groups that lost.
  for (int k = 0; k < o.top_k_groups; ++k) take_best(group_scores, o.n_groups);
  for (int e = lane; e < size * o.n_groups; e += kWarpThreads)
    if (group_scores[e / size] != never()) choice[e] = never();
  __syncwarp();
}

__global__ void __launch_bounds__(kWarpThreads) route_rows(Route a) {
  const RouterOptions& o = a.options;
  const int lane = static_cast<int>(threadIdx.x), n = o.n_experts;
  float* const scores = dynamic_shared<float>();
  float* const choice = scores + n;
  float* const group_scores = choice + n;
  const float* const logits = a.logits + blockIdx.x * a.logits_row;
  std::int32_t* const ids = a.ids + blockIdx.x * a.ids_row;
  float* const weights = a.weights + blockIdx.x * a.weights_row;

  if (o.scoring == RouterScoring::kSigmoid) {
    for (int e = lane; e < n; e += kWarpThreads) scores[e] = 1.0f / (1.0f + expf(-logits[e]));
    __syncwarp();
  } else {
    float highest = never();
    for (int e = lane; e < n; e += kWarpThreads)
      highest = logits[e] > highest ? logits[e] : highest;
    for (int step = kWarpThreads / 2; step > 0; step /= 2) {
      const float other = __shfl_xor_sync(kWholeWarp, highest, step);
      highest = other > highest ? other : highest;
    }
    for (int e = lane; e < n; e += kWarpThreads) scores[e] = expf(logits[e] - highest);
    __syncwarp();
    float sum = 0.0f;  // each lane the same: independent loads, one chain of additions
    for (int e = 0; e < n; ++e) sum += scores[e];
    __syncwarp();
    for (int e = lane; e < n; e += kWarpThreads) scores[e] /= sum;
    __syncwarp();
  }
  for (int e = lane; e < n; e += kWarpThreads)
    choice[e] = a.bias != nullptr ? scores[e] + a.bias[e] : scores[e];
  __syncwarp();
  if (o.n_groups > 1 && o.top_k_groups < o.n_groups) keep_best_groups(o, choice, group_scores);

  float sum = 0.0f;
  for (int k = 0; k < o.top_k; ++k) {
    int best = take_best(choice, n);
    if (lane == 0) {
      // Only NaNs are left: any expert not yet used, so that the row stays NaN.
      for (int e = 0; best == kNone; ++e) {
        bool used = false;
        for (int j = 0; j < k; ++j) used = used || ids[j] == e;
        if (!used) best = e;
      }
      ids[k] = best;
      weights[k] = scores[best];
      sum += scores[best];
      if (a.counts != nullptr) atomicAdd(a.counts + best, 1ull);
    }
  }
  if (lane != 0) return;
  for (int k = 0; k < o.top_k; ++k) {
    float weight = weights[k];
    if (o.normalize_weights) weight /= sum + 1e-20f;
    weights[k] = weight * o.weight_scale;
  }
}

}  // namespace

void route(DeviceContext& device, const Tensor& expert_ids, const Tensor& expert_weights,
           const Tensor& logits, const float* selection_bias, const RouterOptions& options,
           const Tensor* counts) {
  if (logits.shape[0] == 0) return;
  const Route a{static_cast<std::int32_t*>(expert_ids.data),
                static_cast<float*>(expert_weights.data),
                static_cast<const float*>(logits.data),
                selection_bias,
                counts != nullptr ? static_cast<unsigned long long*>(counts->data) : nullptr,
                expert_ids.strides[0],
                expert_weights.strides[0],
                logits.strides[0],
                options};
  const std::size_t shared =
      static_cast<std::size_t>(2 * options.n_experts + options.n_groups) * sizeof(float);
  launch(route_rows, grid_size(logits.shape[0]), kWarpThreads, shared, device.stream, a);
}

}  // namespace moebench::cuda
