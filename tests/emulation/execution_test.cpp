#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>
#include <gtest/gtest.h>
#include <mma.h>

#include <numeric>
#include <vector>

#include "engine/backends/cuda/launch.h"
#include "engine/base/error.h"
#include "engine/tensor/convert.h"

// Compiled with -fsanitize=thread like the checked kernels, so that the checks themselves are
// tested: what they must find, and what they must let pass.

namespace moebench::cuda {
namespace {

/// Device memory of n values that starts as `values`.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(const std::vector<T>& values) : n_(values.size()) {
    check(cudaMalloc(&data_, n_ * sizeof(T)), "allocating");
    check(cudaMemcpyAsync(data_, values.data(), n_ * sizeof(T), cudaMemcpyHostToDevice, nullptr),
          "uploading");
    check(cudaStreamSynchronize(nullptr), "uploading");
  }
  ~DeviceArray() { cudaFree(data_); }
  T* data() const { return data_; }
  std::vector<T> download() const {
    std::vector<T> values(n_);
    check(cudaMemcpyAsync(values.data(), data_, n_ * sizeof(T), cudaMemcpyDeviceToHost, nullptr),
          "downloading");
    check(cudaStreamSynchronize(nullptr), "running");
    return values;
  }

 private:
  std::size_t n_;
  T* data_ = nullptr;
};

/// What the emulation says of a launch; empty when it ran.
template <class... P, class... A>
std::string failure_of(void (*kernel)(P...), dim3 grid, dim3 block, std::size_t shared, A... args) {
  launch(kernel, grid, block, shared, nullptr, args...);
  std::string failure;
  try {
    check(cudaStreamSynchronize(nullptr), "running");
  } catch (const Error& error) {
    failure = error.what();
  }
  cuda_emulation::forget_failure();
  return failure;
}

#define EXPECT_SAYS(text, part) \
  EXPECT_NE(std::string(text).find(part), std::string::npos) << "it said: " << (text)

__global__ void indices(int* out) {
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] =
      static_cast<int>(thread * 100 + block);
}

TEST(EmulatedExecution, EveryThreadOfEveryBlockRunsOnce) {
  const DeviceArray<int> out(std::vector<int>(2 * 3 * 2 * 5 * 2 * 3, -1));
  ASSERT_EQ(failure_of(indices, dim3(2, 3, 2), dim3(5, 2, 3), 0, out.data()), "");
  const std::vector<int> got = out.download();
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_EQ(got[i], static_cast<int>(i % 30 * 100 + i / 30));
}

__global__ void reverse_in_shared(int* data, bool with_barrier) {
  __shared__ int values[96];
  values[threadIdx.x] = data[threadIdx.x];
  if (with_barrier) __syncthreads();
  data[threadIdx.x] = values[95 - threadIdx.x];
}

TEST(EmulatedExecution, BarriersOrderSharedMemory) {
  std::vector<int> values(96);
  std::iota(values.begin(), values.end(), 0);
  const DeviceArray<int> data(values);
  ASSERT_EQ(failure_of(reverse_in_shared, 1, 96, 0, data.data(), true), "");
  std::reverse(values.begin(), values.end());
  EXPECT_EQ(data.download(), values);
}

TEST(EmulatedExecution, AMissingBarrierIsFound) {
  const DeviceArray<int> data(std::vector<int>(96, 1));
  EXPECT_SAYS(failure_of(reverse_in_shared, 1, 96, 0, data.data(), false),
              "shared memory is read before this block wrote it");
}

__global__ void write_after_read(int* data) {
  int* const values = dynamic_shared<int>();
  values[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncthreads();
  data[threadIdx.x] = values[(threadIdx.x + 40) % 64];
  values[threadIdx.x] = 7;  // others may not have read yet
}

TEST(EmulatedExecution, AWriteThatOthersMayStillReadIsFound) {
  const DeviceArray<int> data(std::vector<int>(64, 1));
  EXPECT_SAYS(failure_of(write_after_read, 1, 64, 256, data.data()), "races with a");
}

__global__ void exchange_in_warp(int* data, bool ordered) {
  __shared__ int values[64];
  values[threadIdx.x] = data[threadIdx.x];
  if (ordered) __syncwarp();
  data[threadIdx.x] = values[threadIdx.x ^ 1];
}

TEST(EmulatedExecution, WarpBarriersOrderTheirWarp) {
  const DeviceArray<int> data(std::vector<int>(64, 1));
  EXPECT_EQ(failure_of(exchange_in_warp, 1, 64, 0, data.data(), true), "");
  EXPECT_SAYS(failure_of(exchange_in_warp, 1, 64, 0, data.data(), false), "shared memory is read");
}

__global__ void rotate_in_warp(int* data) {
  __shared__ int values[32];
  values[threadIdx.x] = data[threadIdx.x];
  __syncwarp();
  const int other = values[(threadIdx.x + 1) % 32] + values[(threadIdx.x + 2) % 32];
  __syncwarp();
  values[threadIdx.x] = values[threadIdx.x] + other;  // its own, after others have read it
  data[threadIdx.x] = values[threadIdx.x];
}

TEST(EmulatedExecution, ReadsBeforeAWarpBarrierAreOver) {
  const DeviceArray<int> data(std::vector<int>(32, 1));
  EXPECT_EQ(failure_of(rotate_in_warp, 1, 32, 0, data.data()), "");
}

__global__ void all_write(int* data, bool atomically) {
  if (atomically)
    atomicAdd(data, 1);
  else
    data[0] = static_cast<int>(threadIdx.x);
}

TEST(EmulatedExecution, GlobalMemoryIsCheckedAcrossBlocksToo) {
  const DeviceArray<int> data(std::vector<int>(1, 0));
  EXPECT_SAYS(failure_of(all_write, 3, 1, 0, data.data(), false), "of another block");
  EXPECT_SAYS(failure_of(all_write, 1, 40, 0, data.data(), false), "a write races with a write");
  EXPECT_EQ(failure_of(all_write, 3, 40, 0, data.data(), true), "");
}

__global__ void write_halves(unsigned short* data) { data[threadIdx.x] = 1; }

TEST(EmulatedExecution, NeighboursOfAWordDontRace) {
  const DeviceArray<unsigned short> data(std::vector<unsigned short>(64, 0));
  EXPECT_EQ(failure_of(write_halves, 1, 64, 0, data.data()), "");
  EXPECT_SAYS(failure_of(write_halves, 1, 65, 0, data.data()), "a write outside of any allocation");
}

__global__ void leave_early(int* data) {
  if (threadIdx.x == 33) return;
  __syncthreads();
  data[threadIdx.x] = 1;
}
__global__ void two_barriers() {
  if (threadIdx.x < 32)
    __syncthreads();
  else
    __syncthreads();
}

TEST(EmulatedExecution, ABarrierThatSomeDontReachIsAnError) {
  const DeviceArray<int> data(std::vector<int>(64, 0));
  EXPECT_SAYS(failure_of(leave_early, 1, 64, 0, data.data()), "not all threads reached a barrier");
  EXPECT_SAYS(failure_of(two_barriers, 1, 64, 0), "while others wait at");
  EXPECT_EQ(failure_of(reverse_in_shared, 1, 96, 0, data.data() - 0, true).empty(), false)
      << "96 threads on 64 values";
}

__global__ void shuffles(int* out) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  int value = lane;
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(~0u, value, step);
  int prefix = 1;
  for (int step = 1; step < 32; step *= 2) {
    const int other = __shfl_up_sync(~0u, prefix, static_cast<unsigned>(step));
    if (lane >= step) prefix += other;
  }
  const int right = __shfl_down_sync(~0u, lane, 3, 8);
  const unsigned odd = __ballot_sync(~0u, lane % 2);
  const int group = lane < 16 ? __shfl_sync(0xffffu, lane, 3) : __shfl_sync(0xffff0000u, lane, 19);
  const int any = __any_sync(~0u, lane == 5) * 2 + __all_sync(~0u, lane < 31);
  out[threadIdx.x] = value == 496 && prefix == lane + 1 && odd == 0xaaaaaaaau && any == 2 &&
                     right == (lane % 8 < 5 ? lane + 3 : lane) && group == (lane < 16 ? 3 : 19);
}

TEST(EmulatedExecution, ShufflesAndVotesAreCudas) {
  const DeviceArray<int> out(std::vector<int>(96, 0));
  ASSERT_EQ(failure_of(shuffles, 1, 96, 0, out.data()), "");
  EXPECT_EQ(out.download(), std::vector<int>(96, 1));
}

__global__ void tile(float* out, const __nv_bfloat16* a, const __nv_bfloat16* b) {
  using namespace nvcuda::wmma;
  fragment<matrix_a, 16, 16, 16, __nv_bfloat16, row_major> left;
  fragment<matrix_b, 16, 16, 16, __nv_bfloat16, col_major> right;
  fragment<accumulator, 16, 16, 16, float> sum;
  fill_fragment(sum, 1.0f);
  load_matrix_sync(left, a, 16);
  load_matrix_sync(right, b, 16);
  mma_sync(sum, left, right, sum);
  store_matrix_sync(out, sum, 16, mem_row_major);
}

TEST(EmulatedExecution, MatrixTilesMultiply) {
  std::vector<__nv_bfloat16> a(256), b(256);
  for (int i = 0; i < 256; ++i)
    a[i] = __nv_bfloat16(float(i % 7)), b[i] = __nv_bfloat16(float(i % 5));
  const DeviceArray<__nv_bfloat16> left(a), right(b);
  const DeviceArray<float> out(std::vector<float>(256));
  ASSERT_EQ(failure_of(tile, 1, 32, 0, out.data(), left.data(), right.data()), "");
  const std::vector<float> got = out.download();
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 16; ++j) {
      float want = 1;
      for (int k = 0; k < 16; ++k) want += float(a[i * 16 + k]) * float(b[j * 16 + k]);
      EXPECT_EQ(got[static_cast<std::size_t>(i * 16 + j)], want);
    }
}

TEST(EmulatedExecution, NarrowTypesConvertAsTheEnginesDo) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float f = f16_to_f32(half), b = bf16_to_f32(half);
    const float here = __half2float(__ushort_as_half(half));
    ASSERT_TRUE(here == f || (std::isnan(here) && std::isnan(f))) << bits;
    if (!std::isnan(f)) {
      ASSERT_EQ(__half_as_ushort(__float2half(f)), half);
    }
    const float between = f + (f16_to_f32(static_cast<std::uint16_t>(bits + 1)) - f) * 0.37f;
    if (std::isfinite(between)) {
      ASSERT_EQ(__float2half(between).bits, f32_to_f16(between)) << bits;
    }
    if (std::isfinite(b)) {
      ASSERT_EQ(__float2bfloat16(b * 1.003f).bits, f32_to_bf16(b * 1.003f));
    }
  }
  for (unsigned bits = 0; bits < 256; ++bits) {
    const float want = f8e4m3_to_f32(static_cast<std::uint8_t>(bits));
    const float here = __nv_fp8_e4m3{static_cast<unsigned char>(bits)};
    ASSERT_TRUE(here == want || (std::isnan(here) && std::isnan(want))) << bits;
  }
}

__global__ void add_one(int* data) { data[threadIdx.x] += 1; }

TEST(EmulatedRuntime, CapturedGraphsRunWhenLaunched) {
  const DeviceArray<int> data(std::vector<int>(8, 0));
  cudaStream_t stream;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "creating a stream");
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "capturing");
  launch(add_one, 1, 8, 0, stream, data.data());
  check(cudaStreamEndCapture(stream, &graph), "capturing");
  check(cudaGraphInstantiate(&exec, graph), "instantiating");
  EXPECT_EQ(data.download(), std::vector<int>(8, 0));
  for (int i = 0; i < 3; ++i) check(cudaGraphLaunch(exec, stream), "launching");
  EXPECT_EQ(data.download(), std::vector<int>(8, 3));
  cudaGraphDestroy(graph);
  cudaGraphExecDestroy(exec);
  cudaStreamDestroy(stream);
}

TEST(EmulatedRuntime, RefusesWhatADeviceRefuses) {
  EXPECT_THROW(launch(two_barriers, 1, 1025, 0, nullptr), Error);
  EXPECT_THROW(launch(two_barriers, 0, 32, 0, nullptr), Error);
  EXPECT_THROW(launch(two_barriers, 1, 32, 228 << 10, nullptr), Error);
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, std::size_t{1} << 40), cudaErrorMemoryAllocation);
  cudaGetLastError();
}

}  // namespace
}  // namespace moebench::cuda
