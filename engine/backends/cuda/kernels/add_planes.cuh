#pragma once

#include "engine/backends/cuda/kernels/matmul.cuh"

namespace moebench::cuda {

/// The last step of a product whose planes a library multiplied: target.out (rows, n) (+)= the sum
/// over `planes` of products (planes, rows, width) F32, times scales (rows), + bias.
void add_planes(DeviceContext& device, const DeviceTarget& target, std::int64_t rows, int planes,
                const float* scales, const float* products, std::int64_t width);

}  // namespace moebench::cuda
