#include "engine/backends/cuda/kernels/sample.cuh"

#include "engine/backends/cuda/kernels/reduce.cuh"
#include "engine/backends/cuda/launch.h"

namespace moebench::cuda {
namespace {

#ifdef MOEBENCH_CUDA_EMULATED
constexpr int kThreads = 128;  // fewer fibers to switch; the result is the same
#else
constexpr int kThreads = 1024;
#endif
constexpr int kWarps = kThreads / kWarpThreads;

struct Sample {
  std::int32_t* token_ids;
  const float* logits;
  const SampleRow* rows;
  float* weights;  // (rows, vocab): scratch
  std::int64_t vocab, logits_row;
};

/// Weight and number of the candidates that a bisection asks for.
struct Mass {
  double sum;
  long long count;
};

__device__ __forceinline__ Mass operator+(Mass a, Mass b) {
  return {a.sum + b.sum, a.count + b.count};
}

/// The sum over the block, in every thread; one order of additions.
__device__ Mass block_mass(Mass mass) {
  __shared__ Mass parts[kWarps];
  for (int step = kWarpThreads / 2; step > 0; step /= 2) {
    const double sum = __shfl_xor_sync(kWholeWarp, mass.sum, step);
    const long long count = __shfl_xor_sync(kWholeWarp, mass.count, step);
    mass = mass + Mass{sum, count};
  }
  if (threadIdx.x % kWarpThreads == 0) parts[threadIdx.x / kWarpThreads] = mass;
  __syncthreads();
  mass = {0.0, 0};
  for (int i = 0; i < kWarps; ++i) mass = mass + parts[i];
  __syncthreads();
  return mass;
}

/// Of the candidates whose weight is above `limit` (as bits: weights are not negative).
__device__ Mass mass_above(const float* weights, std::int64_t vocab, int limit) {
  Mass mass{0.0, 0};
  for (std::int64_t i = threadIdx.x; i < vocab; i += kThreads)
    if (__float_as_int(weights[i]) > limit) {
      mass.sum += static_cast<double>(weights[i]);
      ++mass.count;
    }
  return block_mass(mass);
}

/// The walk along the candidates, best first, stopped where `enough` says so: all candidates above
/// `weight` and the first `among_equals` (lowest ids) of those that equal it.
struct Cut {
  float weight;
  Mass above;
  long long among_equals;

  __device__ double sum() const {
    return above.sum + static_cast<double>(among_equals) * static_cast<double>(weight);
  }
};

/// The largest weight (as bits) such that the candidates at or above it are enough, which holds for
/// all (bits -1). `enough` of a Mass must be monotone.
template <class Enough>
__device__ int bisect(const float* weights, std::int64_t vocab, Enough enough) {
  int low = -1, high = __float_as_int(1.0f);  // above(low) is enough, above(high) is not
  while (high - low > 1) {
    const int middle = low + (high - low) / 2;
    if (enough(mass_above(weights, vocab, middle)))
      low = middle;
    else
      high = middle;
  }
  return high;  // the candidates above `low` are those at or above `high`
}

/// How often `weight` has to be added to `sum` to reach (or, `beyond`, to pass) `target`.
__device__ long long steps_to(double sum, double target, float weight, bool beyond) {
  if (weight <= 0.0f) return 1;
  const double w = static_cast<double>(weight);
  long long n = static_cast<long long>((target - sum) / w);
  n = n > 1 ? n - 1 : 1;  // the division may have rounded up
  const auto reached = [&](long long m) {
    const double s = sum + static_cast<double>(m) * w;
    return beyond ? s > target : s >= target;
  };
  while (!reached(n)) ++n;
  return n;
}

/// The shortest walk whose sum reaches (or passes) target; all of `whole` if none does.
__device__ Cut walk_to(const float* weights, std::int64_t vocab, double target, bool beyond,
                       const Cut& whole) {
  if (beyond ? !(whole.sum() > target) : !(whole.sum() >= target)) return whole;
  const int bits = bisect(weights, vocab, [&](const Mass& mass) {
    return beyond ? mass.sum > target : mass.sum >= target;
  });
  Cut cut{__int_as_float(bits), mass_above(weights, vocab, bits), 0};
  cut.among_equals = steps_to(cut.above.sum, target, cut.weight, beyond);
  // Rounding must not lead past the end of the whole walk.
  if (cut.weight == whole.weight && cut.among_equals > whole.among_equals)
    cut.among_equals = whole.among_equals;
  return cut;
}

/// The id of the candidate at which a cut ends.
__device__ std::int32_t last_of(const float* weights, std::int64_t vocab, const Cut& cut) {
  __shared__ long long before[kThreads];
  __shared__ std::int32_t found;
  // Each thread counts the equals in its own run of ids, then the runs are added in order.
  const std::int64_t run = ceil_div(vocab, kThreads);
  const std::int64_t begin = threadIdx.x * run;
  const std::int64_t end = begin + run < vocab ? begin + run : vocab;
  long long mine = 0;
  for (std::int64_t i = begin; i < end; ++i) mine += weights[i] == cut.weight ? 1 : 0;
  before[threadIdx.x] = mine;
  if (threadIdx.x == 0) found = 0;
  __syncthreads();
  long long place = cut.among_equals;
  for (unsigned t = 0; t < threadIdx.x; ++t) place -= before[t];
  if (place > 0 && place <= mine)
    for (std::int64_t i = begin; i < end; ++i)
      if (weights[i] == cut.weight && --place == 0) found = static_cast<std::int32_t>(i);
  __syncthreads();
  const std::int32_t result = found;
  __syncthreads();
  return result;
}

/// Along the ids: the first whose running sum passes uniform * sum. The last one with any weight if
/// rounding keeps the sum below it.
__device__ std::int32_t pick_along_ids(const float* weights, std::int64_t vocab, double uniform) {
  __shared__ double sums[kThreads];
  __shared__ int chosen;
  __shared__ std::int32_t found;
  const std::int64_t run = ceil_div(vocab, kThreads);
  const std::int64_t begin = threadIdx.x * run;
  const std::int64_t end = begin + run < vocab ? begin + run : vocab;
  double mine = 0.0;
  for (std::int64_t i = begin; i < end; ++i) mine += static_cast<double>(weights[i]);
  sums[threadIdx.x] = mine;
  __syncthreads();
  __shared__ double total, start;
  if (threadIdx.x == 0) {
    double sum = 0.0;
    for (int t = 0; t < kThreads; ++t) sum += sums[t];
    total = sum;
    const double target = uniform * sum;
    chosen = 0;
    start = sum = 0.0;
    for (int t = 0; t < kThreads; ++t) {
      if (sums[t] <= 0.0) continue;
      chosen = t;
      start = sum;
      sum += sums[t];
      if (sum > target) break;
    }
  }
  __syncthreads();
  if (static_cast<int>(threadIdx.x) == chosen) {
    const double target = uniform * total;
    double sum = start;
    std::int32_t last = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      if (weights[i] <= 0.0f) continue;
      last = static_cast<std::int32_t>(i);
      sum += static_cast<double>(weights[i]);
      if (sum > target) break;
    }
    found = last;
  }
  __syncthreads();
  return found;
}

/// The highest logit's id, the lowest among equals; -1 when none is a number. Same in all threads.
__device__ std::int32_t argmax(const float* logits, std::int64_t vocab) {
  __shared__ float best_values[kWarps];
  __shared__ std::int32_t best_ids[kWarps];
  float best = 0.0f;
  std::int32_t id = -1;
  const auto offer = [&](float value, std::int32_t other) {
    if (other < 0) return;
    if (id < 0 || value > best || (value == best && other < id)) {
      best = value;
      id = other;
    }
  };
  for (std::int64_t i = threadIdx.x; i < vocab; i += kThreads)
    if (logits[i] == logits[i]) offer(logits[i], static_cast<std::int32_t>(i));
  for (int step = kWarpThreads / 2; step > 0; step /= 2) {
    const float value = __shfl_xor_sync(kWholeWarp, best, step);
    const std::int32_t other = __shfl_xor_sync(kWholeWarp, id, step);
    offer(value, other);
  }
  if (threadIdx.x % kWarpThreads == 0) {
    best_values[threadIdx.x / kWarpThreads] = best;
    best_ids[threadIdx.x / kWarpThreads] = id;
  }
  __syncthreads();
  id = -1;
  for (int i = 0; i < kWarps; ++i) offer(best_values[i], best_ids[i]);
  __syncthreads();
  return id;
}

__device__ std::int32_t draw(const float* logits, float* weights, std::int64_t vocab,
                             const SampleRow& row) {
  const std::int32_t best = argmax(logits, vocab);
  if (best < 0 || row.temperature <= 0.0f || row.top_k == 1 || !isfinite(logits[best])) return best;
  const float highest = logits[best];
  Mass mass{0.0, 0};
  for (std::int64_t i = threadIdx.x; i < vocab; i += kThreads) {
    const float logit = logits[i];
    weights[i] = logit == logit ? expf((logit - highest) / row.temperature) : 0.0f;
    mass.sum += static_cast<double>(weights[i]);
    ++mass.count;
  }
  __syncthreads();  // weights are read by all from here
  const Mass all = block_mass(mass);
  const bool cut_k = row.top_k > 0 && row.top_k < vocab;
  const bool cut_p = row.top_p < 1.0f;
  if (!cut_k && !cut_p) return pick_along_ids(weights, vocab, static_cast<double>(row.uniform));

  Cut kept{-1.0f, all, 0};  // nobody equals -1: the whole vocabulary
  if (cut_k) {
    const int bits = bisect(weights, vocab, [&](const Mass& m) { return m.count >= row.top_k; });
    kept = {__int_as_float(bits), mass_above(weights, vocab, bits), 0};
    kept.among_equals = row.top_k - kept.above.count;
  }
  if (cut_p)
    kept = walk_to(weights, vocab, static_cast<double>(row.top_p) * kept.sum(), false, kept);
  const double target = static_cast<double>(row.uniform) * kept.sum();
  Cut end = walk_to(weights, vocab, target, true, kept);
  if (end.weight < 0.0f) {
    // The whole vocabulary, and rounding kept its sum below the target: its least candidate.
    const long long positive = mass_above(weights, vocab, 0).count;
    const int bits = bisect(weights, vocab, [&](const Mass& m) { return m.count >= positive; });
    end = {__int_as_float(bits), all, 1};
  }
  return last_of(weights, vocab, end);
}

__global__ void __launch_bounds__(kThreads) sample_rows(Sample a) {
  const std::int64_t row = blockIdx.x;
  const std::int32_t id =
      draw(a.logits + row * a.logits_row, a.weights + row * a.vocab, a.vocab, a.rows[row]);
  if (threadIdx.x == 0) a.token_ids[row] = id;
}

}  // namespace

void sample(DeviceContext& device, const Tensor& token_ids, const Tensor& logits,
            const SampleRow* rows) {
  const std::int64_t n = token_ids.shape[0], vocab = logits.shape[1];
  if (n == 0) return;
  std::byte* const scratch =
      device.scratch->take(static_cast<std::size_t>(n * vocab) * sizeof(float));
  const Sample a{static_cast<std::int32_t*>(token_ids.data),
                 static_cast<const float*>(logits.data),
                 rows,
                 reinterpret_cast<float*>(scratch),
                 vocab,
                 logits.strides[0]};
  launch(sample_rows, grid_size(n), kThreads, 0, device.stream, a);
}

}  // namespace moebench::cuda
