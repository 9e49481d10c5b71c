#include "engine/backends/cuda/kernels/matmul.cuh"

#include <algorithm>

#include "engine/backends/cuda/kernels/packing.h"
#include "engine/backends/cuda/kernels/product.cuh"
#include "engine/backends/cuda/launch.h"
#include "engine/base/check.h"

namespace moebench::cuda {

void matmul(DeviceContext& device, const Tensor& x, std::span<const DeviceTarget> targets) {
  const std::int64_t rows = x.shape[0], k = x.shape[1];
  if (rows == 0) return;
  // x in F16 or BF16 planes, or both where the weights' types want both; fewer planes are a prefix
  // of more.
  int planes[2] = {};
  for (const DeviceTarget& target : targets) {
    MOEBENCH_CHECK(target.weight.k == k && target.weight.n == target.out.shape[1]);
    int& most = planes[row_is_brain(target.weight.dtype)];
    most = std::max(most, row_planes(target.weight.dtype));
  }
  const std::size_t half_bytes = rounded_rows_bytes(rows, k, planes[0]);
  std::byte* const memory =
      device.scratch->take(half_bytes + rounded_rows_bytes(rows, k, planes[1]));
  const RoundedRows rounded[2] = {rounded_rows_at(memory, rows, k, planes[0], false),
                                  rounded_rows_at(memory + half_bytes, rows, k, planes[1], true)};
  for (const RoundedRows& form : rounded)
    if (form.planes > 0) round_rows(device, form, x);

  for (const DeviceTarget& target : targets) {
    Product p;
    p.weights = target.weight.data;
    p.row_bytes = target.weight.row_bytes;
    p.n = target.weight.n;
    p.units = packed_units(k);
    p.x = rounded[row_is_brain(target.weight.dtype)];
    p.rows = rows;
    p.out = static_cast<float*>(target.out.data);
    p.out_stride = target.out.strides[0];
    p.bias = target.bias;
    p.accumulate = target.accumulate;
    run_product(target.weight.dtype, p, {1, rows, rows}, device.stream);
  }
}

}  // namespace moebench::cuda
