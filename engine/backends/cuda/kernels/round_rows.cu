#include "engine/backends/cuda/kernels/mma.cuh"
#include "engine/backends/cuda/kernels/packing.h"
#include "engine/backends/cuda/kernels/reduce.cuh"
#include "engine/backends/cuda/kernels/round_rows.cuh"

namespace moebench::cuda {
namespace {

struct Source {
  const float* x;
  std::int64_t heads, k, row_stride, head_stride;
};

template <Element16 kElement>
__global__ void __launch_bounds__(kRowThreads) round_rows_16(RoundedRows to, Source from) {
  const std::int64_t row = blockIdx.x;
  const float* const x =
      from.x + row / from.heads * from.row_stride + row % from.heads * from.head_stride;
  float scale = 1.0f;
  if constexpr (kElement == Element16::kHalf) {
    float largest = 0.0f;
    for (std::int64_t i = threadIdx.x; i < from.k; i += kRowThreads) {
      const float magnitude = fabsf(x[i]);
      largest = magnitude > largest ? magnitude : largest;
    }
    __shared__ float of_warp[kRowThreads / kWarpThreads];
    for (int step = kWarpThreads / 2; step > 0; step /= 2)
      largest = fmaxf(largest, __shfl_xor_sync(kWholeWarp, largest, step));
    if (threadIdx.x % kWarpThreads == 0) of_warp[threadIdx.x / kWarpThreads] = largest;
    __syncthreads();
    for (int i = 0; i < kRowThreads / kWarpThreads; ++i) largest = fmaxf(largest, of_warp[i]);
    scale = half_range_scale(largest);
  }
  if (threadIdx.x == 0) to.scales[row] = 1.0f / scale;
  const std::int64_t plane = to.rows * to.k_padded;
  std::uint16_t* const out = to.values + row * to.k_padded;
  // Two neighbours a thread: k_padded is even, and the stores are whole words.
  for (std::int64_t i = 2 * threadIdx.x; i < to.k_padded; i += 2 * kRowThreads) {
    float first = i < from.k ? x[i] * scale : 0.0f;
    float second = i + 1 < from.k ? x[i + 1] * scale : 0.0f;
    for (int p = 0; p < to.planes; ++p) {
      const std::uint16_t a = to_element<kElement>(first), b = to_element<kElement>(second);
      *reinterpret_cast<std::uint32_t*>(out + p * plane + i) = pair_of(a, b);
      first -= from_element<kElement>(a);
      second -= from_element<kElement>(b);
    }
  }
}

constexpr std::int64_t kAlignment = 256;

std::int64_t aligned(std::int64_t bytes) { return ceil_div(bytes, kAlignment) * kAlignment; }

}  // namespace

std::size_t rounded_rows_bytes(std::int64_t rows, std::int64_t k, int planes) {
  return static_cast<std::size_t>(aligned(planes * rows * packed_units(k) * kUnit * 2) +
                                  aligned(rows * 4));
}

RoundedRows rounded_rows_at(std::byte* memory, std::int64_t rows, std::int64_t k, int planes,
                            bool brain) {
  RoundedRows result;
  result.rows = rows;
  result.k_padded = packed_units(k) * kUnit;
  result.planes = planes;
  result.brain = brain;
  result.values = reinterpret_cast<std::uint16_t*>(memory);
  result.scales = reinterpret_cast<float*>(memory + aligned(planes * rows * result.k_padded * 2));
  return result;
}

void round_rows(DeviceContext& device, const RoundedRows& to, const Tensor& x) {
  if (to.rows == 0) return;
  const bool per_head = x.shape.rank() == 3;
  const Source from{static_cast<const float*>(x.data), per_head ? x.shape[1] : 1, x.shape.back(),
                    x.strides[0], per_head ? x.strides[1] : 0};
  launch(to.brain ? round_rows_16<Element16::kBrain> : round_rows_16<Element16::kHalf>,
         grid_size(to.rows), kRowThreads, 0, device.stream, to, from);
}

}  // namespace moebench::cuda
