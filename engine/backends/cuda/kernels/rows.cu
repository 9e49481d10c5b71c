#include "engine/backends/cuda/kernels/rows.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "engine/backends/cuda/launch.h"
#include "engine/base/check.h"
#include "engine/tensor/block_types.h"

namespace moebench::cuda {
namespace {

constexpr int kThreads = 128;

__device__ __forceinline__ float half_value(std::uint16_t bits) {
  return __half2float(__ushort_as_half(bits));
}

// Element i of a row: the layouts of block_types.h, in the order of convert.cpp's arithmetic.

struct F32Row {
  static __device__ __forceinline__ float value(const std::byte* row, std::int64_t i) {
    return reinterpret_cast<const float*>(row)[i];
  }
};
struct F16Row {
  static __device__ __forceinline__ float value(const std::byte* row, std::int64_t i) {
    return half_value(reinterpret_cast<const std::uint16_t*>(row)[i]);
  }
};
struct BF16Row {
  static __device__ __forceinline__ float value(const std::byte* row, std::int64_t i) {
    const unsigned bits = reinterpret_cast<const std::uint16_t*>(row)[i];
    return __uint_as_float(bits << 16);
  }
};
struct Q8_0Row {
  static __device__ __forceinline__ float value(const std::byte* row, std::int64_t i) {
    const BlockQ8_0& b = reinterpret_cast<const BlockQ8_0*>(row)[i / 32];
    return half_value(b.d) * static_cast<float>(b.q[i % 32]);
  }
};
struct Q4_0Row {
  static __device__ __forceinline__ float value(const std::byte* row, std::int64_t i) {
    const BlockQ4_0& b = reinterpret_cast<const BlockQ4_0*>(row)[i / 32];
    const int j = static_cast<int>(i % 32);
    const int q = j < 16 ? b.q[j] & 15 : b.q[j - 16] >> 4;
    return half_value(b.d) * static_cast<float>(q - 8);
  }
};
struct Q4_KRow {
  static __device__ __forceinline__ float value(const std::byte* row, std::int64_t i) {
    const BlockQ4_K& b = reinterpret_cast<const BlockQ4_K*>(row)[i / 256];
    const int at = static_cast<int>(i % 256), group = at / 32;
    int scale, minimum;  // 6 bits each: the first four groups whole, the others in two parts
    if (group < 4) {
      scale = b.scales[group] & 63;
      minimum = b.scales[group + 4] & 63;
    } else {
      scale = (b.scales[group + 4] & 15) | (b.scales[group - 4] >> 6) << 4;
      minimum = b.scales[group + 4] >> 4 | (b.scales[group] >> 6) << 4;
    }
    const int byte = b.q[group / 2 * 32 + at % 32];
    const int q = group % 2 == 0 ? byte & 15 : byte >> 4;
    return half_value(b.d) * static_cast<float>(scale) * static_cast<float>(q) -
           half_value(b.dmin) * static_cast<float>(minimum);
  }
};
struct Q6_KRow {
  static __device__ __forceinline__ float value(const std::byte* row, std::int64_t i) {
    const BlockQ6_K& b = reinterpret_cast<const BlockQ6_K*>(row)[i / 256];
    const int at = static_cast<int>(i % 256), half = at / 128, within = at % 128;
    const int lane = within % 32, quarter = within / 32;
    const int low = b.low[half * 64 + (quarter % 2) * 32 + lane] >> (quarter / 2 * 4) & 15;
    const int high = b.high[half * 32 + lane] >> (2 * quarter) & 3;
    const float scale = static_cast<float>(b.scales[at / 16]);
    return half_value(b.d) * scale * static_cast<float>((low | high << 4) - 32);
  }
};

struct Gather {
  float* out;
  const std::byte* rows;
  const std::int32_t* ids;
  std::int64_t width, out_row, row_bytes;
};

template <class Row>
__global__ void __launch_bounds__(kThreads) gather(Gather a) {
  const std::int64_t token = blockIdx.x;
  const std::byte* const row = a.rows + a.ids[token] * a.row_bytes;
  float* const to = a.out + token * a.out_row;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.y) * kThreads + threadIdx.x; i < a.width;
       i += static_cast<std::int64_t>(gridDim.y) * kThreads)
    to[i] = Row::value(row, i);
}

template <class Row>
void run(DeviceContext& device, const Gather& a, std::int64_t n) {
  if (n == 0 || a.width == 0) return;
  // Four values a thread: a single row then still fills several multiprocessors.
  const std::int64_t parts = ceil_div(a.width, 4 * kThreads);
  launch(gather<Row>, dim3(grid_size(n), grid_size(parts < 64 ? parts : 64)), kThreads, 0,
         device.stream, a);
}

}  // namespace

bool can_embed(DType dtype) noexcept {
  switch (dtype) {
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
    case DType::kQ8_0:
    case DType::kQ4_0:
    case DType::kQ4_K:
    case DType::kQ6_K:
      return true;
    default:
      return false;
  }
}

void embed(DeviceContext& device, const Tensor& out, const std::byte* table, DType dtype,
           const Tensor& token_ids) {
  const Gather a{
      static_cast<float*>(out.data),
      table,
      static_cast<const std::int32_t*>(token_ids.data),
      out.shape[1],
      out.strides[0],
      static_cast<std::int64_t>(row_bytes(dtype, static_cast<std::size_t>(out.shape[1])))};
  const std::int64_t n = out.shape[0];
  switch (dtype) {
    case DType::kF32:
      return run<F32Row>(device, a, n);
    case DType::kF16:
      return run<F16Row>(device, a, n);
    case DType::kBF16:
      return run<BF16Row>(device, a, n);
    case DType::kQ8_0:
      return run<Q8_0Row>(device, a, n);
    case DType::kQ4_0:
      return run<Q4_0Row>(device, a, n);
    case DType::kQ4_K:
      return run<Q4_KRow>(device, a, n);
    case DType::kQ6_K:
      return run<Q6_KRow>(device, a, n);
    default:
      MOEBENCH_CHECK(can_embed(dtype));
  }
}

void gather_rows(DeviceContext& device, const Tensor& out, const Tensor& x, const Tensor& row_ids) {
  const Gather a{static_cast<float*>(out.data),
                 static_cast<const std::byte*>(x.data),
                 static_cast<const std::int32_t*>(row_ids.data),
                 out.shape[1],
                 out.strides[0],
                 x.strides[0] * static_cast<std::int64_t>(sizeof(float))};
  run<F32Row>(device, a, out.shape[0]);
}

}  // namespace moebench::cuda
