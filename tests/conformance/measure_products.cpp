// What a product costs on this device: the backend's own kernels (the same bits for any batch)
// beside cuBLAS's free choice of algorithm for the same BF16 product, and each against the bytes it
// moves.
//   measure_products [--small]
// One JSON object a line; --small: shapes that an emulated device can do. Exits 1 where the two
// products disagree. The backend's rows of x are F32, so its BF16 products take two planes of x
// (kernels/README.md): twice the arithmetic of cuBLAS's, which takes BF16 rows.

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "tests/conformance/backend_case.h"
#include "tests/conformance/device_data.h"

namespace moebench::conformance {
namespace {

struct Size {
  std::int64_t n, k;
};

void check(cublasStatus_t status) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw Error(ErrorCode::kDevice, "cuBLAS failed: " + std::to_string(static_cast<int>(status)));
}
void check(cudaError_t status) {
  if (status != cudaSuccess) throw Error(ErrorCode::kDevice, cudaGetErrorName(status));
}

/// Median time of a call among five series; `start` enqueues, `wait` waits for all.
template <class Start, class Wait>
double microseconds(int calls, const Start& start, const Wait& wait) {
  for (int i = 0; i < 2; ++i) start(i);
  wait();
  std::vector<double> series;
  for (int s = 0; s < 5; ++s) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; ++i) start(i);
    wait();
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
    series.push_back(took.count() / calls);
  }
  std::nth_element(series.begin(), series.begin() + 2, series.end());
  return series[2];
}

/// x W^T by cuBLAS, BF16 times BF16 into F32, with the algorithm that it likes.
class FreeChoice {
 public:
  FreeChoice() { check(cublasCreate(&handle_)); }
  FreeChoice(const FreeChoice&) = delete;
  FreeChoice& operator=(const FreeChoice&) = delete;
  ~FreeChoice() { cublasDestroy(handle_); }

  void product(void* out, const void* x, const void* w, std::int64_t rows, const Size& s) {
    const float one = 1.0f, zero = 0.0f;
    check(cublasGemmEx(handle_, CUBLAS_OP_T, CUBLAS_OP_N, static_cast<int>(s.n),
                       static_cast<int>(rows), static_cast<int>(s.k), &one, w, CUDA_R_16BF,
                       static_cast<int>(s.k), x, CUDA_R_16BF, static_cast<int>(s.k), &zero, out,
                       CUDA_R_32F, static_cast<int>(s.n), CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
  }

 private:
  cublasHandle_t handle_ = nullptr;
};

std::vector<std::byte> as_bf16(const std::vector<float>& values) {
  std::vector<std::byte> bytes(values.size() * 2);
  from_f32(bytes.data(), DType::kBF16, values);
  return bytes;
}

double relative_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0.0, norm = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    error += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return norm > 0.0 ? std::sqrt(error / norm) : INFINITY;
}

/// Copies of a weight, so that none is still in the L2 cache when its turn comes.
constexpr std::size_t kTurnBytes = 200'000'000;

bool measure(Backend& b, FreeChoice& free_choice, DType dtype, const Size& size,
             const std::vector<std::int64_t>& batches, int calls) {
  const TensorView source = stored(dtype, {size.n, size.k}, 1, 0.05f);
  std::vector<std::unique_ptr<Weight>> weights;
  const std::size_t bytes = b.prepared_bytes(dtype, size.n, size.k);
  const std::size_t copies = calls == 1 ? 1 : kTurnBytes / bytes + 1;
  while (weights.size() < copies) weights.push_back(b.prepare_matrix(source));
  std::vector<std::unique_ptr<Buffer>> plain;  // row by row, as cuBLAS takes them
  if (dtype == DType::kBF16)
    while (plain.size() < copies) {
      plain.push_back(b.allocate(source.size_bytes()));
      b.upload(plain.back()->data(), source.data, source.size_bytes());
    }
  bool agree = true;
  for (const std::int64_t rows : batches) {
    const std::vector<float>& values = normal(rows * size.k, 2);
    const F32Tensor x(b, {rows, size.k}, values), out(b, {rows, size.n});
    const double own = microseconds(
        calls,
        [&](int i) {
          const MatmulTarget target{weights[static_cast<std::size_t>(i) % copies].get(),
                                    out.tensor};
          b.matmul(x.tensor, {&target, 1});
        },
        [&] { b.synchronize(); });
    const double seconds = own * 1e-6;
    std::printf(
        "{\"weights\": \"%s\", \"n\": %lld, \"k\": %lld, \"rows\": %lld, "
        "\"weight_bytes\": %zu, \"own_us\": %.2f, \"own_gb_per_s\": %.1f, "
        "\"own_tflop_per_s\": %.2f",
        std::string(name(dtype)).c_str(), static_cast<long long>(size.n),
        static_cast<long long>(size.k), static_cast<long long>(rows), bytes, own,
        static_cast<double>(bytes) / seconds / 1e9,
        2.0 * static_cast<double>(rows * size.n * size.k) / seconds / 1e12);
    if (!plain.empty()) {
      const std::vector<float> mine = out.download();
      const std::vector<std::byte> half = as_bf16(values);
      const auto x_half = b.allocate(half.size());
      b.upload(x_half->data(), half.data(), half.size());
      b.synchronize();
      const double free_us = microseconds(
          calls,
          [&](int i) {
            free_choice.product(out.buffer->data(), x_half->data(),
                                plain[static_cast<std::size_t>(i) % copies]->data(), rows, size);
          },
          [] { check(cudaDeviceSynchronize()); });
      const double difference = relative_difference(mine, out.download());
      agree = agree && difference < 1e-2;  // BF16 rounds x to 2^-9
      std::printf(
          ", \"cublas_us\": %.2f, \"own_over_cublas\": %.3f, "
          "\"relative_difference\": %.1e",
          free_us, own / free_us, difference);
    }
    std::printf("}\n");
    std::fflush(stdout);
  }
  return agree;
}

int run(bool small) {
  const BackendCase device = backends().at(0);
  device.prepare(false);
  const auto b = device.make(1);
  FreeChoice free_choice;
  // DeepSeek-V3's attention output and one expert's up-projection.
  const std::vector<Size> sizes =
      small ? std::vector<Size>{{37, 96}} : std::vector<Size>{{7168, 16384}, {2048, 7168}};
  const std::vector<std::int64_t> batches =
      small ? std::vector<std::int64_t>{1, 9} : std::vector<std::int64_t>{1, 8, 32, 128, 1024};
  bool agree = true;
  for (const Size& size : sizes)
    for (const DType dtype : {DType::kBF16, DType::kF8E4M3, DType::kQ8_0, DType::kQ4_0})
      agree = measure(*b, free_choice, dtype, size, batches, small ? 1 : 20) && agree;
  if (!agree) std::fprintf(stderr, "the backend's product and cuBLAS's are not the same\n");
  return agree ? 0 : 1;
}

}  // namespace
}  // namespace moebench::conformance

int main(int argc, char** argv) {
  const bool small = argc == 2 && std::string_view(argv[1]) == "--small";
  if (argc > 1 && !small) {
    std::fprintf(stderr, "measure_products [--small]\n");
    return 2;
  }
  try {
    return moebench::conformance::run(small);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "measure_products: %s\n", error.what());
    return 2;
  }
}
