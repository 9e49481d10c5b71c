#include "engine/backends/cuda/kernels/rms_norm.cuh"

#include "engine/backends/cuda/kernels/reduce.cuh"
#include "engine/backends/cuda/launch.h"

namespace moebench::cuda {
namespace {

struct Rows {
  float* out;
  const float* x;
  const float* weight;
  std::int64_t heads, width;
  std::int64_t out_row, out_head, x_row, x_head;  // strides in elements
  float epsilon;
};

/// One block a row: the squares are added per thread along its stride, then as reduce.cuh does, so
/// that the order depends on the width alone.
__global__ void __launch_bounds__(kRowThreads) rms_norm_f32(Rows a) {
  const std::int64_t token = blockIdx.x / a.heads, head = blockIdx.x % a.heads;
  const float* const from = a.x + token * a.x_row + head * a.x_head;
  float* const to = a.out + token * a.out_row + head * a.out_head;
  float sum = 0.0f;
  for (std::int64_t i = threadIdx.x; i < a.width; i += kRowThreads)
    sum = __fmaf_rn(from[i], from[i], sum);
  sum = block_sum(sum);
  const float factor = 1.0f / sqrtf(sum / static_cast<float>(a.width) + a.epsilon);
  for (std::int64_t i = threadIdx.x; i < a.width; i += kRowThreads)
    to[i] = from[i] * factor * a.weight[i];
}

}  // namespace

void rms_norm(DeviceContext& device, const Tensor& out, const Tensor& x, const float* weight,
              float epsilon) {
  const bool per_head = x.shape.rank() == 3;
  const std::int64_t heads = per_head ? x.shape[1] : 1;
  if (x.shape[0] * heads == 0) return;
  Rows rows{static_cast<float*>(out.data),
            static_cast<const float*>(x.data),
            weight,
            heads,
            x.shape.back(),
            out.strides[0],
            per_head ? out.strides[1] : 0,
            x.strides[0],
            per_head ? x.strides[1] : 0,
            epsilon};
  launch(rms_norm_f32, grid_size(x.shape[0] * heads), kRowThreads, 0, device.stream, rows);
}

}  // namespace moebench::cuda
