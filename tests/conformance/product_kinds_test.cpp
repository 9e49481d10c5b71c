#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "engine/backends/cuda/cuda_error.h"
#include "engine/backends/cuda/device_context.h"
#include "engine/backends/cuda/device_memory.h"
#include "engine/backends/cuda/kernels/packing.h"
#include "engine/backends/cuda/kernels/product.cuh"
#include "tests/conformance/device_data.h"

// The kernels behind one product: which of them runs hangs on the batch, so their bits must be the
// same. Each is forced here on the same rows, more of them than any tile has.

namespace moebench::cuda {
namespace {

using conformance::normal;
using conformance::stored;

constexpr std::int64_t kN = 150, kEntries = 70;

struct Format {
  DType dtype;
  std::int64_t k;
};

class ProductKinds : public testing::TestWithParam<Format> {
 protected:
  ProductKinds() {
    check(cudaStreamCreateWithFlags(&device_.stream, cudaStreamNonBlocking), "creating a stream");
  }
  ~ProductKinds() override { cudaStreamDestroy(device_.stream); }

  DeviceMemory on_device(const void* host, std::size_t bytes) {
    DeviceMemory memory(bytes, "a test");
    check(cudaMemcpyAsync(memory.data(), host, bytes, cudaMemcpyHostToDevice, device_.stream),
          "uploading");
    check(cudaStreamSynchronize(device_.stream), "uploading");
    return memory;
  }
  DeviceMemory packed(const TensorView& w) {
    const std::size_t row = packed_row_bytes(w.dtype, w.shape[1]);
    const std::size_t from = row_bytes(w.dtype, static_cast<std::size_t>(w.shape[1]));
    std::vector<std::byte> rows(row * static_cast<std::size_t>(w.shape[0]));
    for (std::size_t i = 0; i < static_cast<std::size_t>(w.shape[0]); ++i)
      pack_row(rows.data() + i * row, w.dtype, w.data + i * from, w.dtype, w.shape[1]);
    return on_device(rows.data(), rows.size());
  }
  std::vector<float> download(const DeviceMemory& memory) {
    std::vector<float> values(memory.size_bytes() / sizeof(float));
    check(cudaMemcpyAsync(values.data(), memory.data(), memory.size_bytes(), cudaMemcpyDeviceToHost,
                          device_.stream),
          "downloading");
    check(cudaStreamSynchronize(device_.stream), "running the product");
    return values;
  }
  std::vector<float> run(DType dtype, Product p, const ProductShape& shape) {
    const std::vector<float> zeros(static_cast<std::size_t>(kEntries * p.n));
    const DeviceMemory out = on_device(zeros.data(), zeros.size() * sizeof(float));
    p.out = reinterpret_cast<float*>(out.data());
    p.out_stride = p.n;
    p.rows = kEntries;
    run_product(dtype, p, shape, device_.stream);
    return download(out);
  }

  DeviceContext device_{};
};

constexpr ProductShape kOneTile{1, 4, 8}, kFew{1, 30, kEntries}, kMany{1, 100, kEntries};

TEST_P(ProductKinds, GiveTheSameBits) {
  const auto [dtype, k] = GetParam();
  ASSERT_EQ(kOneTile.kind(), ProductKind::kOneTile);
  ASSERT_EQ(kFew.kind(), ProductKind::kFew);
  ASSERT_EQ(kMany.kind(), ProductKind::kMany);
  const DeviceMemory weights = packed(stored(dtype, {kN, k}, 1, 0.05f));
  const DeviceMemory up = packed(stored(dtype, {kN, k}, 2, 0.05f));
  const auto& x = normal(kEntries * k, 3);
  const DeviceMemory rows = on_device(x.data(), x.size() * sizeof(float));
  const int planes = row_planes(dtype);
  const DeviceMemory rounded(rounded_rows_bytes(kEntries, k, planes), "a test");
  Product p;
  p.weights = weights.data();
  p.row_bytes = static_cast<std::int64_t>(packed_row_bytes(dtype, k));
  p.n = kN;
  p.units = packed_units(k);
  p.x = rounded_rows_at(rounded.data(), kEntries, k, planes, row_is_brain(dtype));
  round_rows(device_, p.x, Tensor::contiguous(rows.data(), DType::kF32, {kEntries, k}));
  for (const bool gated : {false, true}) {
    p.up = gated ? up.data() : nullptr;
    const std::vector<float> want = run(dtype, p, kOneTile);
    for (const float v : want) ASSERT_TRUE(std::isfinite(v));
    for (const ProductShape& shape : {kFew, kMany}) {
      const std::vector<float> got = run(dtype, p, shape);
      for (std::size_t i = 0; i < got.size(); ++i)
        ASSERT_EQ(0, std::memcmp(&got[i], &want[i], sizeof(float)))
            << "row of x " << i / kN << ", column " << i % kN << ", gated " << gated << ", "
            << (shape.kind() == ProductKind::kFew ? "few" : "many")
            << ": the kernels must add the parts of k alike";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, ProductKinds,
                         testing::Values(Format{DType::kF32, 300}, Format{DType::kF16, 1408},
                                         Format{DType::kBF16, 700}, Format{DType::kF8E4M3, 640},
                                         Format{DType::kQ8_0, 1440}, Format{DType::kQ4_0, 352},
                                         Format{DType::kQ4_K, 768}, Format{DType::kQ6_K, 1280},
                                         Format{DType::kMXFP4, 416}),
                         [](const auto& tested) { return std::string(name(tested.param.dtype)); });

using F8Tiles = ProductKinds;

TEST_P(F8Tiles, TakeTheirColumnsScale) {
  const auto [dtype, k] = GetParam();
  const TensorView w = stored(dtype, {kN, k}, 1, 0.05f);
  std::vector<float> scales;
  for (std::int64_t c = 0; c * 128 < k; ++c) scales.push_back(std::ldexp(1.5f, -int(c) - 7));
  const std::size_t row = packed_row_bytes(dtype, k);
  std::vector<std::byte> packed_rows(row * kN);
  std::vector<float> plain(static_cast<std::size_t>(kN * k));
  to_f32(plain.data(), w.data, dtype, plain.size());
  for (std::int64_t i = 0; i < kN; ++i)
    pack_f8_row(packed_rows.data() + static_cast<std::size_t>(i) * row, w.data + i * k,
                scales.data(), 128, k);
  const DeviceMemory weights = on_device(packed_rows.data(), packed_rows.size());
  const auto& x = normal(kEntries * k, 3);
  const DeviceMemory rows = on_device(x.data(), x.size() * sizeof(float));
  const DeviceMemory rounded(rounded_rows_bytes(kEntries, k, 1), "a test");
  Product p;
  p.weights = weights.data();
  p.row_bytes = static_cast<std::int64_t>(row);
  p.n = kN;
  p.units = packed_units(k);
  p.x = rounded_rows_at(rounded.data(), kEntries, k, 1, false);
  round_rows(device_, p.x, Tensor::contiguous(rows.data(), DType::kF32, {kEntries, k}));
  const std::vector<float> got = run(dtype, p, kFew);
  double error = 0.0, norm = 0.0;
  for (std::int64_t r = 0; r < kEntries; ++r)
    for (std::int64_t i = 0; i < kN; ++i) {
      double want = 0.0;
      for (std::int64_t c = 0; c < k; ++c)
        want += static_cast<double>(plain[static_cast<std::size_t>(i * k + c)]) *
                static_cast<double>(scales[static_cast<std::size_t>(c / 128)]) *
                static_cast<double>(x[static_cast<std::size_t>(r * k + c)]);
      error += std::pow(static_cast<double>(got[static_cast<std::size_t>(r * kN + i)]) - want, 2);
      norm += want * want;
    }
  EXPECT_LE(std::sqrt(error), 1e-3 * std::sqrt(norm)) << "look at pack_f8_row and F8Row";
}

INSTANTIATE_TEST_SUITE_P(Formats, F8Tiles, testing::Values(Format{DType::kF8E4M3, 500}),
                         [](const auto& tested) { return std::string(name(tested.param.dtype)); });

}  // namespace
}  // namespace moebench::cuda
