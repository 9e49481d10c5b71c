#include "engine/backends/cuda/kernels/head_matmul.cuh"

#include "engine/backends/cuda/kernels/packing.h"
#include "engine/backends/cuda/kernels/product.cuh"
#include "engine/backends/cuda/launch.h"
#include "engine/base/check.h"

namespace moebench::cuda {

void head_matmul(DeviceContext& device, const Tensor& out, const Tensor& x,
                 const DeviceMatrix& weight) {
  const std::int64_t tokens = x.shape[0], heads = x.shape[1], k = x.shape[2], n = out.shape[2];
  if (tokens == 0) return;
  MOEBENCH_CHECK(weight.k == k && weight.n == heads * n);
  const int planes = row_planes(weight.dtype);
  std::byte* const memory = device.scratch->take(rounded_rows_bytes(tokens * heads, k, planes));
  Product p;
  p.weights = weight.data;
  p.row_bytes = weight.row_bytes;
  p.n = n;
  p.units = packed_units(k);
  p.x = rounded_rows_at(memory, tokens * heads, k, planes, row_is_brain(weight.dtype));
  p.x_step = heads;
  p.x_group_step = 1;
  p.rows = tokens;
  p.out = static_cast<float*>(out.data);
  p.out_stride = out.strides[0];
  p.out_group_stride = out.strides[1];
  round_rows(device, p.x, x);
  run_product(weight.dtype, p, {heads, tokens, tokens}, device.stream);
}

}  // namespace moebench::cuda
