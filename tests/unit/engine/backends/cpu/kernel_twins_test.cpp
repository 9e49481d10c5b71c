#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "engine/backends/cpu/kernels.h"
#include "engine/backends/cpu/packing.h"
#include "engine/tensor/block_types.h"
#include "engine/tensor/convert.h"

// Every vectorised kernel against its scalar twin.

namespace moebench::cpu {
namespace {

class KernelTwins : public testing::TestWithParam<const Kernels*> {
 protected:
  const Kernels& level() const { return *GetParam(); }
};

struct Rows {
  std::vector<std::int8_t> q;
  std::vector<float> scales;
  std::vector<std::int16_t> sums;
  Activations view;

  Rows(std::int64_t rows, std::int64_t k, std::int64_t block)
      : q(static_cast<std::size_t>(rows * k)),
        scales(static_cast<std::size_t>(rows * k / block)),
        sums(static_cast<std::size_t>(rows * k / 16)) {
    view = {nullptr, 0, q.data(), k, scales.data(), k / block, sums.data(), k / 16};
  }
  void sum_up() {
    for (std::size_t g = 0; g < sums.size(); ++g) {
      int sum = 0;
      for (std::size_t i = 16 * g; i < 16 * g + 16; ++i) sum += q[i];
      sums[g] = static_cast<std::int16_t>(sum);
    }
  }
};

/// Any bytes, under f16 scales of 1 (0x3c00) so that every float operation on the integer sums is
/// exact and the levels must agree bit by bit.
std::vector<std::byte> unit_scale_rows(Packing packing, std::int64_t n, std::int64_t k,
                                       std::mt19937& random, bool extreme) {
  const DType types[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0, DType::kQ5_0,
                         DType::kQ4_0, DType::kQ4_1, DType::kQ4_K, DType::kQ6_K};
  const DType type = types[static_cast<int>(packing)];
  std::vector<std::byte> bytes(row_bytes(type, static_cast<std::size_t>(n * k)));
  for (std::byte& b : bytes) b = extreme ? std::byte{0x80} : static_cast<std::byte>(random());
  if (extreme && packing != Packing::kQ8_0)
    for (std::byte& b : bytes) b = std::byte{0xff};
  const std::size_t block = traits(type).block_bytes;
  const std::uint16_t one = 0x3c00;
  for (std::size_t at = 0; at < bytes.size(); at += block) {
    const std::size_t scale = packing == Packing::kQ6_K ? offsetof(BlockQ6_K, d) : 0;
    std::memcpy(bytes.data() + at + scale, &one, 2);
    if (packing == Packing::kQ4_1 || packing == Packing::kQ4_K)
      std::memcpy(bytes.data() + at + 2, &one, 2);
  }
  return bytes;
}

TEST_P(KernelTwins, IntegerSumsAreEqualBitByBit) {
  const DType types[] = {DType::kQ8_0, DType::kQ5_0, DType::kQ4_0,
                         DType::kQ4_1, DType::kQ4_K, DType::kQ6_K};
  std::mt19937 random(1);
  for (int p = static_cast<int>(Packing::kQ8_0); p < kPackings; ++p) {
    const auto packing = static_cast<Packing>(p);
    const DType type = types[p - static_cast<int>(Packing::kQ8_0)];
    const bool wide = activation_kind(packing) == ActivationKind::kInt8x256;
    // One block: what is added in float is a single exact sum.
    const std::int64_t k = wide ? 256 : 32, n = 8, rows = kMaxTileRows;
    for (const bool extreme : {false, true}) {
      const std::vector<std::byte> bytes = unit_scale_rows(packing, n, k, random, extreme);
      std::vector<std::byte> storage(panel_bytes(packing, k) + 64);
      auto* const panel = reinterpret_cast<std::byte*>(
          (reinterpret_cast<std::uintptr_t>(storage.data()) + 63) / 64 * 64);
      pack_panel(packing, panel, {bytes.data(), type, {n, k}}, 0);
      Rows x(rows, k, k);
      for (std::int8_t& v : x.q)
        v = static_cast<std::int8_t>(extreme ? 127 : static_cast<int>(random() % 255) - 127);
      for (float& s : x.scales) s = 1.0f;
      x.sum_up();
      const std::int32_t order[kMaxTileRows] = {3, 0, 7, 1, 6, 2, 5, 4};
      const TileOp& op = level().tile[p];
      for (int count = 1; count <= op.max_rows; ++count) {
        float got[kMaxTileRows * 16], want[kMaxTileRows * 16];
        op.run(panel, k, x.view, order, count, got);
        scalar_kernels().tile[p].run(panel, k, x.view, order, count, want);
        for (int i = 0; i < count * 8; ++i)
          ASSERT_EQ(got[i], want[i]) << name(type) << ", " << count << " rows, output " << i;
      }
    }
  }
}

TEST_P(KernelTwins, QuantizeRoundsAlike) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  constexpr std::int64_t kWidth = 1024;
  std::vector<float> x(kWidth);
  for (float& v : x) v = normal(random);
  for (int i = 0; i < 32; ++i) x[static_cast<std::size_t>(64 + i)] = 0.0f;
  x[300] = std::numeric_limits<float>::infinity();
  x[900] = std::numeric_limits<float>::quiet_NaN();
  for (const bool wide : {false, true}) {
    Rows a(1, kWidth, wide ? 256 : 32), b = a;
    const auto run = [&](const Kernels& k, Rows& r) {
      (wide ? k.quantize_256 : k.quantize_32)(x.data(), kWidth, r.q.data(), r.scales.data(),
                                              r.sums.data());
    };
    run(level(), a);
    run(scalar_kernels(), b);
    EXPECT_EQ(a.q, b.q);
    EXPECT_EQ(a.sums, b.sums);
    for (std::size_t i = 0; i < a.scales.size(); ++i) {
      EXPECT_EQ(std::isnan(a.scales[i]), std::isnan(b.scales[i])) << "block " << i;
      if (!std::isnan(b.scales[i])) {
        EXPECT_EQ(a.scales[i], b.scales[i]) << "block " << i;
      }
    }
  }
}

TEST_P(KernelTwins, SiluHoldsAtTheEnds) {
  std::vector<float> gate, up;
  for (float g = -120.0f; g <= 120.0f; g += 0.37f) {
    gate.push_back(g);
    up.push_back(1.5f);
  }
  std::vector<float> got(gate.size());
  level().silu_product(got.data(), gate.data(), up.data(), static_cast<std::int64_t>(gate.size()));
  for (std::size_t i = 0; i < gate.size(); ++i) {
    const double g = gate[i], want = g / (1.0 + std::exp(-g)) * 1.5;
    EXPECT_NEAR(got[i], want, 1e-6 * std::fabs(want) + 1e-30) << "gate " << g;
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  float out = 0.0f;
  level().silu_product(&out, &nan, up.data(), 1);
  EXPECT_TRUE(std::isnan(out)) << "a NaN must not vanish";
}

TEST_P(KernelTwins, WeightedRowsAddAlike) {
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  constexpr std::int64_t kStride = 40, kTileStride = 16, kOutRows = 9;
  const std::int32_t rows[] = {8, 0, 3, 5, 1, 7};
  std::vector<float> start(kStride * kOutRows), tile(6 * kTileStride), weights(6);
  for (std::vector<float>* v : {&start, &tile, &weights})
    for (float& x : *v) x = normal(random);
  for (const std::int64_t n : {1, 7, 8, 13, 16})
    for (int count = 1; count <= 6; ++count) {
      std::vector<float> got = start, want = start;
      level().add_weighted_rows(got.data() + 5, kStride, rows, weights.data(), tile.data(),
                                kTileStride, count, n);
      scalar_kernels().add_weighted_rows(want.data() + 5, kStride, rows, weights.data(),
                                         tile.data(), kTileStride, count, n);
      EXPECT_EQ(got, want) << count << " rows of " << n;
      EXPECT_NE(got, start);
    }
}

TEST_P(KernelTwins, HalvesRoundToNearestEven) {
  const std::vector<float> x = {1.0f,     1.00048828125f, 1.0009765625f + 1.0f / 2048,
                                65504.0f, 1e-8f,          6.1e-5f,
                                -0.0f,    70000.0f,       3e-6f};
  std::vector<std::uint16_t> got(x.size());
  level().to_half(got.data(), x.data(), static_cast<std::int64_t>(x.size()));
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(got[i], f32_to_f16(x[i])) << x[i];
}

INSTANTIATE_TEST_SUITE_P(Levels, KernelTwins, testing::ValuesIn(available_kernels()),
                         [](const testing::TestParamInfo<const Kernels*>& level) {
                           return std::string(level.param->isa);
                         });

TEST(Isa, RefusesAnUnknownLevel) {
  setenv("MOEBENCH_ISA", "avx9", 1);
  EXPECT_ANY_THROW(choose_kernels());
  setenv("MOEBENCH_ISA", "scalar", 1);
  EXPECT_EQ(choose_kernels().isa, "scalar");
  unsetenv("MOEBENCH_ISA");
  EXPECT_EQ(choose_kernels().isa, available_kernels().back()->isa);
}

}  // namespace
}  // namespace moebench::cpu
