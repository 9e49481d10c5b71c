#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/microbench/ceilings.h"

// The ops of a step at the shapes of a 1.7 B MoE (hidden 1024, 64 experts of width 704, top-6, MLA
// with 8 heads of 576): time, bytes and operations, and what part of the machine's measured
// ceilings that is. Weights rotate through more memory than the caches hold, as a model's layers
// do.

namespace moebench::microbench {
namespace {

constexpr std::int64_t kHidden = 1024, kWidth = 704, kExperts = 64, kTopK = 6;
constexpr std::size_t kColdBytes = std::size_t{96} << 20;

int threads() {
  const char* const text = std::getenv("MOEBENCH_THREADS");
  return text != nullptr ? std::max(1, std::atoi(text)) : 2;
}
/// MOEBENCH_ITERATIONS=N: exactly N iterations on one weight, and no ceilings, so that two starts
/// do the same work and their instructions can be counted. 0: as long as it takes to time.
int fixed_iterations() {
  const char* const text = std::getenv("MOEBENCH_ITERATIONS");
  return text != nullptr ? std::max(1, std::atoi(text)) : 0;
}
std::size_t cold_bytes() { return fixed_iterations() > 0 ? 1 : kColdBytes; }
Backend& backend() {
  static const std::unique_ptr<Backend> instance = make_cpu_backend(threads());
  return *instance;
}
const Ceilings& ceilings() {
  static const Ceilings measured = measure_ceilings(threads());
  return measured;
}

/// Stored bytes of no particular meaning: random quants under small finite scales.
std::vector<std::byte> random_weights(DType dtype, std::int64_t elements, std::uint32_t seed) {
  std::vector<std::byte> bytes(row_bytes(dtype, static_cast<std::size_t>(elements)));
  std::mt19937 generator(seed);
  for (std::byte& b : bytes) b = static_cast<std::byte>(generator() & 0x3f);  // any f16 is < 2
  return bytes;
}

struct Activations {
  std::unique_ptr<Buffer> buffer;
  Tensor tensor;
  Activations(std::int64_t rows, std::int64_t width)
      : buffer(backend().allocate(static_cast<std::size_t>(rows * width) * sizeof(float))) {
    tensor = Tensor::contiguous(buffer->data(), DType::kF32, {rows, width});
    std::mt19937 generator(3);
    std::normal_distribution<float> normal;
    for (std::int64_t i = 0; i < rows * width; ++i)
      static_cast<float*>(buffer->data())[i] = normal(generator);
  }
};

void report(benchmark::State& state, double bytes, double operations, bool int8) {
  if (fixed_iterations() > 0) return;
  const auto n = static_cast<double>(state.iterations());
  using benchmark::Counter;
  state.counters["GB/s"] = Counter(bytes * n / 1e9, Counter::kIsRate);
  state.counters["GOP/s"] = Counter(operations * n / 1e9, Counter::kIsRate);
  const double peak =
      int8 ? ceilings().int8_operations_per_second : ceilings().fma_flops_per_second;
  state.counters["of_read"] =
      Counter(bytes * n / ceilings().read_bytes_per_second, Counter::kIsRate);
  if (peak > 0) state.counters["of_peak"] = Counter(operations * n / peak, Counter::kIsRate);
}

void matmul(benchmark::State& state, DType dtype, std::int64_t n, std::int64_t k) {
  const std::int64_t rows = state.range(0);
  const std::vector<std::byte> bytes = random_weights(dtype, n * k, 1);
  std::vector<std::unique_ptr<Weight>> weights;
  for (std::size_t total = 0; total < cold_bytes(); total += bytes.size())
    weights.push_back(backend().prepare_matrix({bytes.data(), dtype, {n, k}}));
  const Activations x(rows, k), out(rows, n);
  std::size_t i = 0;
  for (auto _ : state) {
    const MatmulTarget target{weights[i++ % weights.size()].get(), out.tensor};
    backend().matmul(x.tensor, {&target, 1});
  }
  report(state, static_cast<double>(bytes.size()),
         2.0 * static_cast<double>(n) * static_cast<double>(k) * static_cast<double>(rows),
         is_quantized(dtype));
}

const Weight& expert_layer(DType up, DType down, std::size_t layer) {
  static std::map<std::pair<DType, DType>, std::vector<std::unique_ptr<Weight>>> made;
  auto& layers = made[{up, down}];
  while (layers.size() <= layer) {
    const std::vector<std::byte> a = random_weights(up, kWidth * kHidden, 1);
    const std::vector<std::byte> b = random_weights(down, kWidth * kHidden, 2);
    const std::vector<TensorView> ups(kExperts, {a.data(), up, {kWidth, kHidden}});
    const std::vector<TensorView> downs(kExperts, {b.data(), down, {kHidden, kWidth}});
    layers.push_back(backend().prepare_experts({ups, ups, downs}));
  }
  return *layers[layer];
}

void experts(benchmark::State& state, DType up, DType down) {
  const std::int64_t rows = state.range(0);
  const Activations x(rows, kHidden), out(rows, kHidden), weights(rows, kTopK);
  const auto chosen =
      backend().allocate(static_cast<std::size_t>(rows * kTopK) * sizeof(std::int32_t));
  const Tensor ids = Tensor::contiguous(chosen->data(), DType::kI32, {rows, kTopK});
  std::mt19937 generator(5);
  double bytes = 0;
  constexpr std::size_t kLayers = 3;
  std::size_t i = 0;
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<bool> active(kExperts);
    for (std::int64_t r = 0; r < rows; ++r) {
      std::vector<bool> mine(kExperts);
      for (std::int64_t k = 0; k < kTopK; ++k) {
        std::uint32_t e = generator() % kExperts;
        while (mine[e]) e = generator() % kExperts;
        mine[e] = active[e] = true;
        ids.row<std::int32_t>(r)[k] = static_cast<std::int32_t>(e);
      }
    }
    const auto each = static_cast<std::size_t>(kWidth * kHidden);
    bytes += static_cast<double>(std::count(active.begin(), active.end(), true)) *
             static_cast<double>(2 * row_bytes(up, each) + row_bytes(down, each));
    const Weight& layer = expert_layer(up, down, i++ % kLayers);
    state.ResumeTiming();
    backend().experts(out.tensor, x.tensor, layer, ids, weights.tensor);
  }
  const auto n = static_cast<double>(state.iterations());
  report(state, bytes / n, 6.0 * static_cast<double>(rows * kTopK * kWidth * kHidden),
         is_quantized(up));
}

/// One row of each of `sequences` at `context` cached positions (MLA, F16 cache), or `rows` new
/// ones.
void attention(benchmark::State& state, std::int64_t heads, std::int64_t kv_heads,
               std::int64_t key_width, std::int64_t value_width, bool latent) {
  const std::int64_t sequences = state.range(0), rows = state.range(1), context = state.range(2);
  const std::int64_t blocks = (context + KvLayer::kBlockTokens - 1) / KvLayer::kBlockTokens;
  const auto room = [&](std::int64_t width) {
    return static_cast<std::size_t>(sequences * blocks * KvLayer::kBlockTokens * kv_heads * width) *
           2;
  };
  const auto keys = backend().allocate(room(key_width)),
             values = backend().allocate(room(value_width));
  const auto cache = [&](const Buffer& b, std::int64_t width) {
    return Tensor::contiguous(b.data(), DType::kF16,
                              {sequences * blocks, KvLayer::kBlockTokens, kv_heads, width});
  };
  const KvLayer layer{cache(*keys, key_width), latent ? Tensor{} : cache(*values, value_width),
                      value_width};
  std::vector<std::int32_t> begin, contexts, table, positions, owner;
  for (std::int64_t s = 0; s < sequences; ++s) {
    begin.push_back(static_cast<std::int32_t>(s * rows));
    contexts.push_back(static_cast<std::int32_t>(context));
    for (std::int64_t b = 0; b < blocks; ++b)
      table.push_back(static_cast<std::int32_t>(s * blocks + b));
    for (std::int64_t r = 0; r < rows; ++r) {
      positions.push_back(static_cast<std::int32_t>(context - rows + r));
      owner.push_back(static_cast<std::int32_t>(s));
    }
  }
  begin.push_back(static_cast<std::int32_t>(sequences * rows));
  const auto ints = [](std::vector<std::int32_t>& v, const Shape& shape) {
    return Tensor::contiguous(v.data(), DType::kI32, shape);
  };
  AttentionBatch batch;
  batch.n_sequences = sequences;
  batch.n_tokens = sequences * rows;
  batch.max_context_tokens = context;
  batch.query_begin = ints(begin, {sequences + 1});
  batch.context_tokens = ints(contexts, {sequences});
  batch.block_table = ints(table, {sequences, blocks});
  batch.positions = ints(positions, {sequences * rows});
  batch.sequence_of_row = ints(owner, {sequences * rows});
  const Activations q(sequences * rows, heads * key_width);
  const Activations out(sequences * rows, heads * value_width);
  const auto by_head = [&](const Activations& a, std::int64_t width) {
    return Tensor::contiguous(a.tensor.data, DType::kF32, {sequences * rows, heads, width});
  };
  const Tensor queries = by_head(q, key_width), outputs = by_head(out, value_width);
  for (auto _ : state) backend().attention(outputs, queries, layer, batch, {0.1f, 0});
  double pairs = 0;
  for (std::int64_t r = 0; r < rows; ++r) pairs += static_cast<double>(context - rows + r + 1);
  report(state, static_cast<double>(room(key_width) + (latent ? 0 : room(value_width))),
         2.0 * static_cast<double>(sequences * heads * (key_width + value_width)) * pairs, false);
}

void ceiling(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(ceilings().read_bytes_per_second);
  state.counters["GB/s"] = ceilings().read_bytes_per_second / 1e9;
  state.counters["FMA_GFLOP/s"] = ceilings().fma_flops_per_second / 1e9;
  state.counters["int8_GOP/s"] = ceilings().int8_operations_per_second / 1e9;
}

void fix_iterations(benchmark::internal::Benchmark* benchmark) {
  if (fixed_iterations() > 0) benchmark->Iterations(fixed_iterations());
}

void add_all() {
  if (fixed_iterations() == 0) benchmark::RegisterBenchmark("ceilings", ceiling)->Iterations(1);
  for (const DType dtype : {DType::kF16, DType::kQ8_0, DType::kQ4_K, DType::kQ5_0, DType::kQ6_K}) {
    const std::string type(name(dtype));
    auto* const m = benchmark::RegisterBenchmark(
        ("matmul/" + type).c_str(),
        [dtype](benchmark::State& s) { matmul(s, dtype, 2048, kHidden); });
    for (const int rows : {1, 2, 4, 8, 16, 512}) m->Arg(rows);
    m->UseRealTime()->Unit(benchmark::kMicrosecond)->Apply(fix_iterations);
  }
  for (const auto& [up, down] : {std::pair{DType::kF16, DType::kF16},
                                 {DType::kQ8_0, DType::kQ8_0},
                                 {DType::kQ4_K, DType::kQ5_0},
                                 {DType::kQ4_K, DType::kQ8_0}}) {
    auto* const e = benchmark::RegisterBenchmark(
        ("experts/" + std::string(name(up)) + "_" + std::string(name(down))).c_str(),
        [up = up, down = down](benchmark::State& s) { experts(s, up, down); });
    for (const int rows : {1, 4, 8, 16, 32, 512}) e->Arg(rows);
    e->UseRealTime()->Unit(benchmark::kMicrosecond)->Apply(fix_iterations);
  }
  const auto attend = [](const char* label, auto... shape) {
    benchmark::RegisterBenchmark(label, [shape...](benchmark::State& s) { attention(s, shape...); })
        ->Args({1, 1, 512})
        ->Args({1, 1, 4096})
        ->Args({16, 1, 1024})
        ->Args({1, 512, 512})
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond)
        ->Apply(fix_iterations);
  };
  attend("attention/mla", 8, 1, 576, 512, true);
  attend("attention/gqa", 16, 4, 64, 64, false);
  attend("attention/mha", 16, 16, 64, 64, false);
}

}  // namespace
}  // namespace moebench::microbench

int main(int argc, char** argv) {
  moebench::microbench::add_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
