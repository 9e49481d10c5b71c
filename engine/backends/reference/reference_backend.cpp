#include "engine/backends/reference/reference_backend.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "engine/backends/routing.h"
#include "engine/backends/sampling.h"
#include "engine/base/error.h"
#include "engine/tensor/convert.h"

namespace moebench {
namespace {

class HostBuffer final : public Buffer {
 public:
  // calloc, so that pages of a large cache that nobody touches yet cost no memory.
  explicit HostBuffer(std::size_t size_bytes)
      : block_(std::calloc(size_bytes + kAlignment, 1)), size_bytes_(size_bytes) {
    if (block_ == nullptr)
      throw Error(ErrorCode::kDevice,
                  "cannot allocate " + std::to_string(size_bytes) + " bytes of host memory",
                  "choose a smaller batch, context or cache");
    std::size_t space = size_bytes + kAlignment;
    data_ = block_;
    std::align(kAlignment, size_bytes, data_, space);
  }
  HostBuffer(const HostBuffer&) = delete;
  HostBuffer& operator=(const HostBuffer&) = delete;
  ~HostBuffer() override { std::free(block_); }
  void* data() const noexcept override { return data_; }
  std::size_t size_bytes() const noexcept override { return size_bytes_; }

 private:
  static constexpr std::size_t kAlignment = 64;
  void* block_;
  void* data_ = nullptr;
  std::size_t size_bytes_;
};

/// One matrix (heads = 1), one matrix a head, a vector (k = 1) or an embedding table, in F32.
class F32Weight final : public Weight {
 public:
  F32Weight(const TensorView& source, std::int64_t n_heads, std::int64_t n_out, std::int64_t n_in)
      : heads(n_heads), n(n_out), k(n_in) {
    if (!can_convert_to_f32(source.dtype))
      throw Error(ErrorCode::kBadModel, "the reference backend cannot read weights of type " +
                                            std::string(name(source.dtype)));
    values.resize(static_cast<std::size_t>(heads * n * k));
    to_f32(values.data(), source.data, source.dtype, values.size());
  }
  std::size_t size_bytes() const noexcept override { return values.size() * sizeof(float); }
  const float* row(std::int64_t i) const noexcept { return values.data() + i * k; }

  std::int64_t heads, n, k;
  std::vector<float> values;  // (heads, n, k)
};

struct Expert {
  F32Weight gate, up, down;
};

class F32Experts final : public Weight {
 public:
  std::vector<Expert> experts;
  std::size_t size_bytes() const noexcept override {
    std::size_t sum = 0;
    for (const Expert& e : experts)
      sum += e.gate.size_bytes() + e.up.size_bytes() + e.down.size_bytes();
    return sum;
  }
};

F32Weight matrix(const TensorView& source) {
  MOEBENCH_CHECK(source.shape.rank() == 2);
  return F32Weight(source, 1, source.shape[0], source.shape[1]);
}

const F32Weight& as_f32(const Weight& weight) noexcept {
  return static_cast<const F32Weight&>(weight);
}

float dot(const float* a, const float* b, std::int64_t n) noexcept {
  double sum = 0.0;
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return static_cast<float>(sum);
}

/// y = W x for one row.
void multiply(float* y, const F32Weight& w, const float* x) noexcept {
  for (std::int64_t i = 0; i < w.n; ++i) y[i] = dot(w.row(i), x, w.k);
}

void run_expert(float* y, float* hidden, const Expert& expert, const float* x) noexcept {
  for (std::int64_t i = 0; i < expert.gate.n; ++i) {
    const float g = dot(expert.gate.row(i), x, expert.gate.k);
    const float u = dot(expert.up.row(i), x, expert.up.k);
    hidden[i] = g / (1.0f + std::exp(-g)) * u;
  }
  multiply(y, expert.down, hidden);
}

template <class T = float>
T* element(const Tensor& t, std::int64_t i, std::int64_t j) noexcept {
  return static_cast<T*>(t.data) + i * t.strides[0] + j * t.strides[1];
}

float load(const Tensor& t, std::int64_t offset) noexcept {
  return t.dtype == DType::kF16 ? f16_to_f32(static_cast<const std::uint16_t*>(t.data)[offset])
                                : static_cast<const float*>(t.data)[offset];
}

void store(const Tensor& t, std::int64_t offset, float value) noexcept {
  if (t.dtype == DType::kF16)
    static_cast<std::uint16_t*>(t.data)[offset] = f32_to_f16(value);
  else
    static_cast<float*>(t.data)[offset] = value;
}

class ReferenceBackend final : public Backend {
 public:
  BackendInfo info() const override {
    return {"reference", "plain scalar loops in F32, one thread", "scalar", 1};
  }

  std::unique_ptr<Buffer> allocate(std::size_t bytes) override {
    return std::make_unique<HostBuffer>(bytes);
  }
  void upload(void* device, const void* host, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(device, host, bytes);
  }
  void download(void* host, const void* device, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(host, device, bytes);
  }
  void synchronize() override {}

  std::unique_ptr<Weight> prepare_matrix(const TensorView& source) override {
    return std::make_unique<F32Weight>(matrix(source));
  }
  std::unique_ptr<Weight> prepare_vector(const TensorView& source) override {
    return std::make_unique<F32Weight>(source, 1, source.shape.elements(), 1);
  }
  std::unique_ptr<Weight> prepare_embedding(const TensorView& source) override {
    return std::make_unique<F32Weight>(matrix(source));
  }
  std::unique_ptr<Weight> prepare_head_matrices(const TensorView& source, DType) override {
    MOEBENCH_CHECK(source.shape.rank() == 3);
    return std::make_unique<F32Weight>(source, source.shape[0], source.shape[1], source.shape[2]);
  }
  std::unique_ptr<Weight> prepare_experts(const ExpertSources& sources) override {
    auto result = std::make_unique<F32Experts>();
    for (std::size_t e = 0; e < sources.gate.size(); ++e)
      result->experts.push_back(
          {matrix(sources.gate[e]), matrix(sources.up[e]), matrix(sources.down[e])});
    return result;
  }

  void embed(const Tensor& out, const Weight& embedding, const Tensor& token_ids) override {
    const F32Weight& table = as_f32(embedding);
    const auto* ids = static_cast<const std::int32_t*>(token_ids.data);
    for (std::int64_t t = 0; t < out.shape[0]; ++t)
      std::memcpy(out.row<float>(t), table.row(ids[t]),
                  static_cast<std::size_t>(table.k) * sizeof(float));
  }

  void rms_norm(const Tensor& out, const Tensor& x, const Weight& weight, float epsilon) override {
    const float* w = as_f32(weight).values.data();
    const bool per_head = x.shape.rank() == 3;
    const std::int64_t heads = per_head ? x.shape[1] : 1;
    const std::int64_t width = x.shape.back();
    for (std::int64_t t = 0; t < x.shape[0]; ++t) {
      for (std::int64_t h = 0; h < heads; ++h) {
        const float* from = per_head ? element(x, t, h) : x.row<float>(t);
        float* to = per_head ? element(out, t, h) : out.row<float>(t);
        const float mean_square = dot(from, from, width) / static_cast<float>(width);
        const float factor = 1.0f / std::sqrt(mean_square + epsilon);
        for (std::int64_t i = 0; i < width; ++i) to[i] = from[i] * factor * w[i];
      }
    }
  }

  void matmul(const Tensor& x, std::span<const MatmulTarget> targets) override {
    for (const MatmulTarget& target : targets) {
      const F32Weight& w = as_f32(*target.weight);
      const float* bias = target.bias != nullptr ? as_f32(*target.bias).values.data() : nullptr;
      for (std::int64_t t = 0; t < x.shape[0]; ++t) {
        float* to = target.out.row<float>(t);
        for (std::int64_t i = 0; i < w.n; ++i) {
          const float y = dot(w.row(i), x.row<float>(t), w.k) + (bias != nullptr ? bias[i] : 0.0f);
          to[i] = target.accumulate ? to[i] + y : y;
        }
      }
    }
  }

  void head_matmul(const Tensor& out, const Tensor& x, const Weight& head_matrices) override {
    const F32Weight& w = as_f32(head_matrices);
    for (std::int64_t t = 0; t < x.shape[0]; ++t)
      for (std::int64_t h = 0; h < w.heads; ++h)
        for (std::int64_t i = 0; i < w.n; ++i)
          element(out, t, h)[i] = dot(w.row(h * w.n + i), element(x, t, h), w.k);
  }

  void rope(const Tensor& x, const Tensor& cos_sin, RopePairing pairing) override {
    const std::int64_t pairs = x.shape[2] / 2;
    for (std::int64_t t = 0; t < x.shape[0]; ++t) {
      const float* angles = cos_sin.row<float>(t);
      for (std::int64_t h = 0; h < x.shape[1]; ++h) {
        float* v = element(x, t, h);
        for (std::int64_t i = 0; i < pairs; ++i) {
          float& a = pairing == RopePairing::kHalves ? v[i] : v[2 * i];
          float& b = pairing == RopePairing::kHalves ? v[i + pairs] : v[2 * i + 1];
          const float c = angles[2 * i], s = angles[2 * i + 1];
          const float turned_a = a * c - b * s;
          b = b * c + a * s;
          a = turned_a;
        }
      }
    }
  }

  void cache_write(const KvLayer& cache, const Tensor& keys, const Tensor& values,
                   const AttentionBatch& batch) override {
    for (std::int64_t t = 0; t < batch.n_tokens; ++t) {
      const std::int64_t sequence = static_cast<std::int32_t*>(batch.sequence_of_row.data)[t];
      const std::int64_t position = static_cast<std::int32_t*>(batch.positions.data)[t];
      write_entry(cache.keys, keys, t, slot(batch, sequence, position));
      if (cache.values.data != nullptr)
        write_entry(cache.values, values, t, slot(batch, sequence, position));
    }
  }

  void attention(const Tensor& out, const Tensor& q, const KvLayer& cache,
                 const AttentionBatch& batch, const AttentionOptions& options) override {
    const std::int64_t heads = q.shape[1], kv_heads = cache.keys.shape[2];
    const std::int64_t key_width = cache.keys.shape[3];
    const Tensor& values = cache.values.data != nullptr ? cache.values : cache.keys;
    for (std::int64_t t = 0; t < batch.n_tokens; ++t) {
      const std::int64_t sequence = static_cast<std::int32_t*>(batch.sequence_of_row.data)[t];
      const std::int64_t last = static_cast<std::int32_t*>(batch.positions.data)[t];
      const std::int64_t window = options.sliding_window_tokens;
      const std::int64_t first = window > 0 && last - window + 1 > 0 ? last - window + 1 : 0;
      scores_.resize(static_cast<std::size_t>(last - first + 1));
      sums_.resize(static_cast<std::size_t>(cache.value_width));
      for (std::int64_t h = 0; h < heads; ++h) {
        const std::int64_t kv_head = h / (heads / kv_heads);
        float highest = -std::numeric_limits<float>::infinity();
        for (std::int64_t p = first; p <= last; ++p) {
          const std::int64_t at = offset(cache.keys, slot(batch, sequence, p), kv_head);
          double score = 0.0;
          for (std::int64_t i = 0; i < key_width; ++i)
            score += static_cast<double>(element(q, t, h)[i]) *
                     static_cast<double>(load(cache.keys, at + i));
          const float scaled = static_cast<float>(score) * options.scale;
          scores_[static_cast<std::size_t>(p - first)] = scaled;
          highest = scaled > highest ? scaled : highest;
        }
        double total = 0.0;
        for (double& sum : sums_) sum = 0.0;
        for (std::int64_t p = first; p <= last; ++p) {
          const float e = std::exp(scores_[static_cast<std::size_t>(p - first)] - highest);
          const std::int64_t at = offset(values, slot(batch, sequence, p), kv_head);
          total += static_cast<double>(e);
          for (std::int64_t i = 0; i < cache.value_width; ++i)
            sums_[static_cast<std::size_t>(i)] +=
                static_cast<double>(e) * static_cast<double>(load(values, at + i));
        }
        for (std::int64_t i = 0; i < cache.value_width; ++i)
          element(out, t, h)[i] = static_cast<float>(sums_[static_cast<std::size_t>(i)] / total);
      }
    }
  }

  void gated_mlp(const Tensor& out, const Tensor& x, const Weight& expert, bool accumulate,
                 const Tensor* gate_logit) override {
    const Expert& e = static_cast<const F32Experts&>(expert).experts.front();
    for (std::int64_t t = 0; t < x.shape[0]; ++t) {
      const float* y = expert_output(e, x.row<float>(t));
      const float factor =
          gate_logit != nullptr ? 1.0f / (1.0f + std::exp(-*gate_logit->row<float>(t))) : 1.0f;
      float* to = out.row<float>(t);
      for (std::int64_t i = 0; i < e.down.n; ++i)
        to[i] = accumulate ? to[i] + factor * y[i] : factor * y[i];
    }
  }

  void route(const Tensor& expert_ids, const Tensor& expert_weights, const Tensor& logits,
             const Weight* selection_bias, const RouterOptions& options,
             const Tensor* counts) override {
    scores_.resize(static_cast<std::size_t>(route_scratch_floats(options)));
    const float* bias = selection_bias != nullptr ? as_f32(*selection_bias).values.data() : nullptr;
    for (std::int64_t t = 0; t < logits.shape[0]; ++t) {
      auto* ids = expert_ids.row<std::int32_t>(t);
      route_row(logits.row<float>(t), bias, options, ids, expert_weights.row<float>(t),
                scores_.data());
      if (counts == nullptr) continue;
      for (std::int32_t k = 0; k < options.top_k; ++k)
        ++static_cast<std::int64_t*>(counts->data)[ids[k]];
    }
  }

  void experts(const Tensor& out, const Tensor& x, const Weight& experts, const Tensor& expert_ids,
               const Tensor& expert_weights) override {
    const auto& all = static_cast<const F32Experts&>(experts).experts;
    const std::int64_t top_k = expert_ids.shape[1];
    for (std::int64_t t = 0; t < x.shape[0]; ++t) {
      const auto* ids = expert_ids.row<std::int32_t>(t);
      for (std::size_t e = 0; e < all.size(); ++e) {
        for (std::int64_t k = 0; k < top_k; ++k) {
          if (ids[k] != static_cast<std::int32_t>(e)) continue;
          const float* y = expert_output(all[e], x.row<float>(t));
          const float weight = expert_weights.row<float>(t)[k];
          for (std::int64_t i = 0; i < all[e].down.n; ++i) out.row<float>(t)[i] += weight * y[i];
        }
      }
    }
  }

  void gather_rows(const Tensor& out, const Tensor& x, const Tensor& row_ids) override {
    const auto* ids = static_cast<const std::int32_t*>(row_ids.data);
    for (std::int64_t r = 0; r < out.shape[0]; ++r)
      std::memcpy(out.row<float>(r), x.row<float>(ids[r]),
                  static_cast<std::size_t>(out.shape[1]) * sizeof(float));
  }

  void sample(const Tensor& token_ids, const Tensor& logits,
              std::span<const SampleRow> rows) override {
    for (std::size_t r = 0; r < rows.size(); ++r)
      static_cast<std::int32_t*>(token_ids.data)[r] = sample_row(
          logits.row<float>(static_cast<std::int64_t>(r)), logits.shape[1], rows[r], candidates_);
  }

 private:
  /// Entry of the paged cache, counted in tokens, where a position of a sequence lives.
  static std::int64_t slot(const AttentionBatch& batch, std::int64_t sequence,
                           std::int64_t position) noexcept {
    const std::int64_t page =
        batch.block_table.row<std::int32_t>(sequence)[position / KvLayer::kBlockTokens];
    return page * KvLayer::kBlockTokens + position % KvLayer::kBlockTokens;
  }
  static std::int64_t offset(const Tensor& cache, std::int64_t slot, std::int64_t head) noexcept {
    return slot / KvLayer::kBlockTokens * cache.strides[0] +
           slot % KvLayer::kBlockTokens * cache.strides[1] + head * cache.strides[2];
  }
  static void write_entry(const Tensor& cache, const Tensor& from, std::int64_t row,
                          std::int64_t slot) noexcept {
    for (std::int64_t h = 0; h < cache.shape[2]; ++h)
      for (std::int64_t i = 0; i < cache.shape[3]; ++i)
        store(cache, offset(cache, slot, h) + i, element(from, row, h)[i]);
  }

  const float* expert_output(const Expert& e, const float* x) {
    hidden_.resize(static_cast<std::size_t>(e.gate.n));
    output_.resize(static_cast<std::size_t>(e.down.n));
    run_expert(output_.data(), hidden_.data(), e, x);
    return output_.data();
  }

  std::vector<float> scores_, hidden_, output_;
  std::vector<double> sums_;
  std::vector<SampleCandidate> candidates_;
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace moebench
