// What a product costs on this device: the backend's own kernels and cuBLASLt's one algorithm (both
// the same bits for any batch) beside cuBLAS's free choice of algorithm for the same BF16 product,
// and each against the bytes it moves.
//   measure_products [--small]
// One JSON object a line; --small: shapes that an emulated device can do. Exits 1 where two of the
// products disagree, or where the first row's bits are others in a larger batch. The backend's rows
// of x are F32, so its BF16 products take two planes of x (kernels/README.md): twice the arithmetic
// of cuBLAS's free choice, which takes BF16 rows.

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
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

/// A product by one of the backend's choices, over and over.
struct Measured {
  double us;                 ///< a call
  std::vector<float> first;  ///< the first row's results
  std::vector<float> all;
};

Measured measure_backend(Backend& b, DType dtype, const Size& size, std::int64_t rows, int calls) {
  const TensorView source = stored(dtype, {size.n, size.k}, 1, 0.05f);
  const std::size_t copies =
      calls == 1 ? 1 : kTurnBytes / b.prepared_bytes(dtype, size.n, size.k) + 1;
  std::vector<std::unique_ptr<Weight>> weights;
  while (weights.size() < copies) weights.push_back(b.prepare_matrix(source));
  const F32Tensor x(b, {rows, size.k}, normal(rows * size.k, 2)), out(b, {rows, size.n});
  Measured m;
  m.us = microseconds(
      calls,
      [&](int i) {
        const MatmulTarget target{weights[static_cast<std::size_t>(i) % copies].get(), out.tensor};
        b.matmul(x.tensor, {&target, 1});
      },
      [&] { b.synchronize(); });
  m.all = out.download();
  m.first.assign(m.all.begin(), m.all.begin() + size.n);
  return m;
}

/// The same by cuBLAS's free choice, of rows of x in BF16.
Measured measure_free_choice(Backend& b, FreeChoice& free_choice, const Size& size,
                             std::int64_t rows, int calls) {
  const TensorView source = stored(DType::kBF16, {size.n, size.k}, 1, 0.05f);
  const std::size_t copies = calls == 1 ? 1 : kTurnBytes / source.size_bytes() + 1;
  std::vector<std::unique_ptr<Buffer>> weights;  // row by row
  while (weights.size() < copies) {
    weights.push_back(b.allocate(source.size_bytes()));
    b.upload(weights.back()->data(), source.data, source.size_bytes());
  }
  const std::vector<std::byte> half = as_bf16(normal(rows * size.k, 2));
  const auto x = b.allocate(half.size());
  b.upload(x->data(), half.data(), half.size());
  const F32Tensor out(b, {rows, size.n});
  b.synchronize();
  Measured m;
  m.us = microseconds(
      calls,
      [&](int i) {
        free_choice.product(out.buffer->data(), x->data(),
                            weights[static_cast<std::size_t>(i) % copies]->data(), rows, size);
      },
      [] { check(cudaDeviceSynchronize()); });
  m.all = out.download();
  return m;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// One line a number of rows. `fixed`: the backend with cuBLASLt's one algorithm; null: without.
bool measure(Backend& own, Backend* fixed, FreeChoice& free_choice, DType dtype, const Size& size,
             const std::vector<std::int64_t>& batches, int calls) {
  const std::size_t bytes = own.prepared_bytes(dtype, size.n, size.k);
  bool as_wanted = true;
  std::vector<float> own_alone, fixed_alone;  // the first row's results in the first batch
  const auto row_keeps_its_bits = [&](const Measured& m, std::vector<float>& alone) {
    if (alone.empty()) alone = m.first;
    const bool same = same_bits(m.first, alone);
    as_wanted = as_wanted && same;
    return same ? "true" : "false";
  };
  for (const std::int64_t rows : batches) {
    const Measured mine = measure_backend(own, dtype, size, rows, calls);
    const double seconds = mine.us * 1e-6;
    std::printf(
        "{\"weights\": \"%s\", \"n\": %lld, \"k\": %lld, \"rows\": %lld, "
        "\"weight_bytes\": %zu, \"own_us\": %.2f, \"own_gb_per_s\": %.1f, "
        "\"own_tflop_per_s\": %.2f, \"own_same_bits\": %s",
        std::string(name(dtype)).c_str(), static_cast<long long>(size.n),
        static_cast<long long>(size.k), static_cast<long long>(rows), bytes, mine.us,
        static_cast<double>(bytes) / seconds / 1e9,
        2.0 * static_cast<double>(rows * size.n * size.k) / seconds / 1e12,
        row_keeps_its_bits(mine, own_alone));
    if (dtype == DType::kBF16 && fixed != nullptr) {
      const Measured theirs = measure_backend(*fixed, dtype, size, rows, calls);
      const double difference = relative_difference(mine.all, theirs.all);
      as_wanted = as_wanted && difference < 1e-4;  // the same planes of x
      std::printf(
          ", \"cublaslt_fixed_us\": %.2f, \"fixed_same_bits\": %s, "
          "\"own_over_fixed\": %.3f, \"difference_from_fixed\": %.1e",
          theirs.us, row_keeps_its_bits(theirs, fixed_alone), mine.us / theirs.us, difference);
    }
    if (dtype == DType::kBF16) {
      const Measured theirs = measure_free_choice(own, free_choice, size, rows, calls);
      const double difference = relative_difference(mine.all, theirs.all);
      as_wanted = as_wanted && difference < 1e-2;  // BF16 rounds x to 2^-9
      std::printf(
          ", \"cublas_us\": %.2f, \"own_over_cublas\": %.3f, "
          "\"relative_difference\": %.1e",
          theirs.us, mine.us / theirs.us, difference);
    }
    std::printf("}\n");
    std::fflush(stdout);
  }
  return as_wanted;
}

/// The backend whose dense products are cuBLASLt's; null, and why on stderr, where it can't be.
std::unique_ptr<Backend> make_fixed() {
  for (const BackendCase& c : backends()) {
    if (c.name.find("cublaslt") == c.name.npos) continue;
    try {
      return c.make(1);
    } catch (const Error& error) {
      std::fprintf(stderr, "without cuBLASLt's fixed algorithm: %s\n", error.what());
    }
  }
  return nullptr;
}

int run(bool small) {
  const BackendCase device = backends().at(0);
  device.prepare(false);
  const auto own = device.make(1), fixed = make_fixed();
  FreeChoice free_choice;
  // DeepSeek-V3's attention output and one expert's up-projection.
  const std::vector<Size> sizes =
      small ? std::vector<Size>{{37, 96}} : std::vector<Size>{{7168, 16384}, {2048, 7168}};
  const std::vector<std::int64_t> batches =
      small ? std::vector<std::int64_t>{1, 9} : std::vector<std::int64_t>{1, 8, 32, 128, 1024};
  bool as_wanted = true;
  for (const Size& size : sizes)
    for (const DType dtype : {DType::kBF16, DType::kF8E4M3, DType::kQ8_0, DType::kQ4_0})
      as_wanted = measure(*own, fixed.get(), free_choice, dtype, size, batches, small ? 1 : 20) &&
                  as_wanted;
  if (!as_wanted)
    std::fprintf(stderr, "two products differ, or a row's bits hang on the batch (same_bits)\n");
  return as_wanted ? 0 : 1;
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
