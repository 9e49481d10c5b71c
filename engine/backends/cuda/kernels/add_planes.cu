#include "engine/backends/cuda/kernels/add_planes.cuh"

#include "engine/backends/cuda/kernels/reduce.cuh"

namespace moebench::cuda {
namespace {

struct Planes {
  const float* products;
  std::int64_t width, plane_stride;
  int count;
  const float* scales;
  const float* bias;
  float* out;
  std::int64_t n, out_stride;
  bool accumulate;
};

__global__ void __launch_bounds__(kRowThreads) add_planes_f32(Planes a) {
  const std::int64_t row = blockIdx.y;
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kRowThreads + threadIdx.x;
  if (i >= a.n) return;
  float value = 0.0f;
  for (int p = 0; p < a.count; ++p) value += a.products[p * a.plane_stride + row * a.width + i];
  value *= a.scales[row];
  if (a.bias != nullptr) value += a.bias[i];
  float* const to = a.out + row * a.out_stride + i;
  *to = a.accumulate ? *to + value : value;
}

}  // namespace

void add_planes(DeviceContext& device, const DeviceTarget& target, std::int64_t rows, int planes,
                const float* scales, const float* products, std::int64_t width) {
  const Planes arguments{products,
                         width,
                         rows * width,
                         planes,
                         scales,
                         target.bias,
                         static_cast<float*>(target.out.data),
                         target.weight.n,
                         target.out.strides[0],
                         target.accumulate};
  launch(add_planes_f32, dim3(grid_size(ceil_div(target.weight.n, kRowThreads)), grid_size(rows)),
         kRowThreads, 0, device.stream, arguments);
}

}  // namespace moebench::cuda
