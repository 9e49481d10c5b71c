#include "engine/backends/cuda/kernels/matmul.cuh"

#include <algorithm>
#include <vector>

#include "engine/backends/cuda/kernels/add_planes.cuh"
#include "engine/backends/cuda/kernels/blas_lt.h"
#include "engine/backends/cuda/kernels/packing.h"
#include "engine/backends/cuda/kernels/product.cuh"
#include "engine/backends/cuda/launch.h"
#include "engine/base/check.h"

namespace moebench::cuda {
namespace {

#ifdef MOEBENCH_CUDA_EMULATED
constexpr std::int64_t kLibraryBytes = 64 << 10;  // small, so that tests cut their rows
#else
constexpr std::int64_t kLibraryBytes = 64 << 20;
#endif

bool by_library(const DeviceContext& device, const DeviceMatrix& weight) {
  return device.blas_lt != nullptr && device.blas_lt->takes(weight);
}

/// What the library's product of a plane's row takes.
std::int64_t library_row_bytes(const DeviceMatrix& weight) {
  return BlasLt::product_width(weight.n) * static_cast<std::int64_t>(sizeof(float));
}

/// Rows of x at once: all, unless the library has to keep the products of their planes.
std::int64_t rows_at_once(const DeviceContext& device, std::int64_t rows,
                          std::span<const DeviceTarget> targets) {
  for (const DeviceTarget& target : targets) {
    if (!by_library(device, target.weight)) continue;
    const int planes = row_planes(target.weight.dtype);
    const std::int64_t fit = kLibraryBytes / (library_row_bytes(target.weight) * planes);
    rows = std::min({rows, std::max<std::int64_t>(1, fit), BlasLt::kMostColumns / planes});
  }
  return rows;
}

Tensor some_rows(const Tensor& t, std::int64_t first, std::int64_t count) {
  Tensor some = t;
  some.data = static_cast<float*>(t.data) + first * t.strides[0];
  some.shape[0] = count;
  return some;
}

/// All planes of all rows are the library's columns: the weights are read once.
void library_product(DeviceContext& device, const DeviceTarget& target, const RoundedRows& x,
                     float* products) {
  const int planes = row_planes(target.weight.dtype);
  device.blas_lt->product(products, x.values, planes * x.rows, target.weight, device.stream);
  add_planes(device, target, x.rows, planes, x.scales, products,
             BlasLt::product_width(target.weight.n));
}

void own_product(DeviceContext& device, const DeviceTarget& target, const RoundedRows& x) {
  Product p;
  p.weights = target.weight.data;
  p.row_bytes = target.weight.row_bytes;
  p.n = target.weight.n;
  p.units = packed_units(target.weight.k);
  p.x = x;
  p.rows = x.rows;
  p.out = static_cast<float*>(target.out.data);
  p.out_stride = target.out.strides[0];
  p.bias = target.bias;
  p.accumulate = target.accumulate;
  run_product(target.weight.dtype, p, {1, x.rows, x.rows}, device.stream);
}

void matmul_rows(DeviceContext& device, const Tensor& x, std::span<const DeviceTarget> targets) {
  const std::int64_t rows = x.shape[0], k = x.shape[1];
  // x in F16 or BF16 planes, or both where the weights' types want both; fewer planes are a prefix
  // of more.
  int planes[2] = {};
  std::int64_t product_bytes = 0;
  for (const DeviceTarget& target : targets) {
    MOEBENCH_CHECK(target.weight.k == k && target.weight.n == target.out.shape[1]);
    int& most = planes[row_is_brain(target.weight.dtype)];
    most = std::max(most, row_planes(target.weight.dtype));
    if (by_library(device, target.weight))
      product_bytes = std::max(
          product_bytes, row_planes(target.weight.dtype) * rows * library_row_bytes(target.weight));
  }
  const std::size_t half_bytes = rounded_rows_bytes(rows, k, planes[0]);
  const std::size_t x_bytes = half_bytes + rounded_rows_bytes(rows, k, planes[1]);
  std::byte* const memory = device.scratch->take(x_bytes + static_cast<std::size_t>(product_bytes));
  const RoundedRows rounded[2] = {rounded_rows_at(memory, rows, k, planes[0], false),
                                  rounded_rows_at(memory + half_bytes, rows, k, planes[1], true)};
  for (const RoundedRows& form : rounded)
    if (form.planes > 0) round_rows(device, form, x);
  for (const DeviceTarget& target : targets) {
    const RoundedRows& form = rounded[row_is_brain(target.weight.dtype)];
    if (by_library(device, target.weight))
      library_product(device, target, form, reinterpret_cast<float*>(memory + x_bytes));
    else
      own_product(device, target, form);
  }
}

}  // namespace

void matmul(DeviceContext& device, const Tensor& x, std::span<const DeviceTarget> targets) {
  const std::int64_t rows = x.shape[0], step = rows_at_once(device, rows, targets);
  if (step == rows && rows > 0) return matmul_rows(device, x, targets);
  std::vector<DeviceTarget> part(targets.begin(), targets.end());
  for (std::int64_t first = 0; first < rows; first += step) {
    const std::int64_t count = std::min(step, rows - first);
    for (std::size_t i = 0; i < part.size(); ++i)
      part[i].out = some_rows(targets[i].out, first, count);
    matmul_rows(device, some_rows(x, first, count), part);
  }
}

}  // namespace moebench::cuda
