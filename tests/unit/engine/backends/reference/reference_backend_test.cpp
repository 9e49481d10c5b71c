// Answers worked out by hand: what the other backends are compared with has to stand on its own.

#include "engine/backends/reference/reference_backend.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace moebench {
namespace {

/// Host memory as a Tensor; the reference backend computes on host memory.
struct Host {
  std::vector<float> values;
  Tensor tensor;
  Host(const Shape& shape, std::vector<float> v = {}) : values(std::move(v)) {
    values.resize(static_cast<std::size_t>(shape.elements()));
    tensor = Tensor::contiguous(values.data(), DType::kF32, shape);
  }
};
struct HostInts {
  std::vector<std::int32_t> values;
  Tensor tensor;
  HostInts(const Shape& shape, std::vector<std::int32_t> v) : values(std::move(v)) {
    tensor = Tensor::contiguous(values.data(), DType::kI32, shape);
  }
};

TensorView view(const std::vector<float>& values, const Shape& shape) {
  return {reinterpret_cast<const std::byte*>(values.data()), DType::kF32, shape};
}

void expect_near(const std::vector<float>& got, const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-6f) << i;
}

class Reference : public testing::Test {
 protected:
  std::unique_ptr<Backend> backend_ = make_reference_backend();
};

TEST_F(Reference, MatmulAddsTheBiasAndAccumulates) {
  const auto w = backend_->prepare_matrix(view({1, 2, 3, 4, 5, 6}, {2, 3}));
  const auto bias = backend_->prepare_vector(view({10, 20}, {2}));
  Host x({2, 3}, {1, 0, -1, 2, 1, 0}), out({2, 2}, {100, 100, 100, 100});
  const MatmulTarget add{w.get(), out.tensor, bias.get(), true};
  backend_->matmul(x.tensor, {&add, 1});
  expect_near(out.values, {108, 118, 114, 133});
  const MatmulTarget set{w.get(), out.tensor};
  backend_->matmul(x.tensor, {&set, 1});
  expect_near(out.values, {-2, -2, 4, 13});
}

TEST_F(Reference, RmsNormWorksPerHeadAndInPlace) {
  const auto w = backend_->prepare_vector(view({1, 2}, {2}));
  Host x({1, 2, 2}, {3, 4, 0, 2});
  backend_->rms_norm(x.tensor, x.tensor, *w, 0.0f);
  const float a = std::sqrt(12.5f), b = std::sqrt(2.0f);
  expect_near(x.values, {3 / a, 8 / a, 0, 4 / b});
}

TEST_F(Reference, RopeTurnsHalvesOrNeighbours) {
  const float c = std::cos(0.5f), s = std::sin(0.5f);
  Host angles({1, 2, 2}, {c, s, 1, 0});
  Host halves({1, 1, 4}, {1, 2, 3, 4}), neighbours({1, 1, 4}, {1, 2, 3, 4});
  backend_->rope(halves.tensor, angles.tensor, RopePairing::kHalves);
  expect_near(halves.values, {c - 3 * s, 2, 3 * c + s, 4});
  backend_->rope(neighbours.tensor, angles.tensor, RopePairing::kInterleaved);
  expect_near(neighbours.values, {c - 2 * s, 2 * c + s, 3, 4});
}

/// One sequence of three tokens in page 1 of 2; keys and values of width 2, one head.
struct Cache {
  Host keys{{2, KvLayer::kBlockTokens, 1, 2}}, values{{2, KvLayer::kBlockTokens, 1, 2}};
  HostInts query_begin{{2}, {0, 3}}, context{{1}, {3}}, table{{1, 1}, {1}};
  HostInts positions{{3}, {0, 1, 2}}, sequence{{3}, {0, 0, 0}};
  KvLayer layer{keys.tensor, values.tensor, 2};
  AttentionBatch batch{
      1, 3, 3, query_begin.tensor, context.tensor, table.tensor, positions.tensor, sequence.tensor};
};

TEST_F(Reference, AttentionIsCausalAndReadsThePagesOfTheTable) {
  Cache cache;
  Host k({3, 1, 2}, {0, 0, 1, 0, 0, 1}), v({3, 1, 2}, {1, 0, 0, 1, 5, 5});
  backend_->cache_write(cache.layer, k.tensor, v.tensor, cache.batch);
  EXPECT_EQ(cache.keys.values[KvLayer::kBlockTokens * 2 + 2], 1.0f) << "token 1 lies in page 1";
  Host q({3, 2, 2}, {9, 9, 9, 9, 1, 0, 0, 1, 1, 0, 0, 0}), out({3, 2, 2});
  backend_->attention(out.tensor, q.tensor, cache.layer, cache.batch, {1.0f, 0});
  const float e = std::exp(1.0f);
  expect_near(out.values, {1, 0, 1, 0,                                    // token 0 sees itself
                           1 / (1 + e), e / (1 + e), 0.5f, 0.5f,          // two heads, one key head
                           6 / (2 + e), (e + 5) / (2 + e), 2.0f, 2.0f});  // all three
}

TEST_F(Reference, ASlidingWindowForgetsOlderTokens) {
  Cache cache;
  Host k({3, 1, 2}), v({3, 1, 2}, {1, 1, 2, 2, 6, 6});
  backend_->cache_write(cache.layer, k.tensor, v.tensor, cache.batch);
  Host q({3, 1, 2}), out({3, 1, 2});
  backend_->attention(out.tensor, q.tensor, cache.layer, cache.batch, {1.0f, 2});
  expect_near(out.values, {1, 1, 1.5f, 1.5f, 4, 4});
}

TEST_F(Reference, WithoutValuesTheKeysPrefixIsTheValue) {
  Cache cache;
  cache.layer.values = Tensor{};
  cache.layer.value_width = 1;
  Host k({3, 1, 2}, {3, 0, 6, 0, 9, 0});
  backend_->cache_write(cache.layer, k.tensor, Tensor{}, cache.batch);
  Host q({3, 1, 2}), out({3, 1, 1});
  backend_->attention(out.tensor, q.tensor, cache.layer, cache.batch, {1.0f, 0});
  expect_near(out.values, {3, 4.5f, 6});
}

TEST_F(Reference, ExpertsAddTheirWeightedOutputsAndTheSharedOneIsGated) {
  // Width 1: y = down * silu(gate x) * (up x).
  const std::vector<float> gates[] = {{1.0f}, {2.0f}}, ups[] = {{3.0f}, {1.0f}};
  const std::vector<float> downs[] = {{1.0f}, {-1.0f}};
  std::vector<TensorView> gate, up, down;
  for (int e = 0; e < 2; ++e) {
    gate.push_back(view(gates[e], {1, 1}));
    up.push_back(view(ups[e], {1, 1}));
    down.push_back(view(downs[e], {1, 1}));
  }
  const auto experts = backend_->prepare_experts({gate, up, down});
  const auto silu = [](float x) { return x / (1.0f + std::exp(-x)); };
  Host x({1, 1}, {2}), out({1, 1}, {100}), weights({1, 2}, {0.25f, 0.5f});
  HostInts ids({1, 2}, {1, 0});
  backend_->experts(out.tensor, x.tensor, *experts, ids.tensor, weights.tensor);
  const float first = silu(2) * 6, second = -silu(4) * 2;
  EXPECT_NEAR(out.values[0], 100 + 0.5f * first + 0.25f * second, 1e-4f);

  Host gate_logit({1, 1}, {0.0f});
  backend_->gated_mlp(out.tensor, x.tensor, *experts, false, &gate_logit.tensor);
  EXPECT_NEAR(out.values[0], 0.5f * first, 1e-5f);
}

TEST_F(Reference, HeadMatricesMultiplyEachHeadByItsOwn) {
  const auto w = backend_->prepare_head_matrices(view({1, 2, 3, 4}, {2, 1, 2}), DType::kF32);
  Host x({1, 2, 2}, {1, 1, 1, -1}), out({1, 2, 1});
  backend_->head_matmul(out.tensor, x.tensor, *w);
  expect_near(out.values, {3, -1});
}

TEST_F(Reference, GatherCopiesRowsBetweenDifferentStrides) {
  Host x({3, 2}, {1, 2, 3, 4, 5, 6}), out({2, 2});
  HostInts ids({2}, {2, 0});
  backend_->gather_rows(out.tensor, x.tensor, ids.tensor);
  expect_near(out.values, {5, 6, 1, 2});
}

TEST_F(Reference, MemoryIsZeroedAndAligned) {
  const auto buffer = backend_->allocate(1000);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer->data()) % 64, 0u);
  for (std::size_t i = 0; i < 1000; ++i)
    ASSERT_EQ(static_cast<const unsigned char*>(buffer->data())[i], 0);
}

}  // namespace
}  // namespace moebench
