#include "engine/backends/cpu/cpu_backend.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "engine/backends/cpu/attention.h"
#include "engine/backends/cpu/experts.h"
#include "engine/backends/cpu/matmul.h"
#include "engine/backends/routing.h"
#include "engine/backends/sampling.h"
#include "engine/base/error.h"
#include "engine/tensor/convert.h"

namespace moebench {
namespace cpu {
namespace {

class HostBuffer final : public Buffer {
 public:
  explicit HostBuffer(std::size_t bytes) : memory_(WeightMemory::allocate(bytes)), bytes_(bytes) {}
  void* data() const noexcept override { return memory_.get(); }
  std::size_t size_bytes() const noexcept override { return bytes_; }

 private:
  std::shared_ptr<std::byte> memory_;
  std::size_t bytes_;
};

/// Read where it is mapped: a step needs a few rows of it.
class MappedEmbedding final : public Weight {
 public:
  explicit MappedEmbedding(const TensorView& source) : view_(source) { check_source(source, 2); }
  std::size_t size_bytes() const noexcept override { return 0; }
  const TensorView& view() const noexcept { return view_; }

 private:
  TensorView view_;
};

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int threads)
      : kernels_(choose_kernels()),
        pool_(threads),
        experts_(kernels_, pool_),
        attention_(kernels_, pool_),
        sample_scratch_(static_cast<std::size_t>(threads)) {}

  BackendInfo info() const override {
    return {"cpu", "CPU, weights interleaved in panels", std::string(kernels_.isa),
            pool_.threads()};
  }

  std::unique_ptr<Buffer> allocate(std::size_t bytes) override {
    return std::make_unique<HostBuffer>(bytes);
  }
  void upload(void* device, const void* host, std::size_t bytes) override {
    std::memcpy(device, host, bytes);
  }
  void download(void* host, const void* device, std::size_t bytes) override {
    std::memcpy(host, device, bytes);
  }
  void synchronize() override {}

  std::unique_ptr<Weight> prepare_matrix(const TensorView& source) override {
    return std::make_unique<PackedMatrix>(source, pool_);
  }
  std::unique_ptr<Weight> prepare_vector(const TensorView& source) override {
    return std::make_unique<F32Vector>(source);
  }
  std::unique_ptr<Weight> prepare_embedding(const TensorView& source) override {
    return std::make_unique<MappedEmbedding>(source);
  }
  std::unique_ptr<Weight> prepare_head_matrices(const TensorView& source, DType stored) override {
    return std::make_unique<PackedHeads>(source, stored, pool_);
  }
  std::unique_ptr<Weight> prepare_experts(const ExpertSources& sources) override {
    return std::make_unique<PackedExperts>(sources, pool_);
  }

  void embed(const Tensor& out, const Weight& embedding, const Tensor& token_ids) override {
    const TensorView& table = static_cast<const MappedEmbedding&>(embedding).view();
    const auto hidden = static_cast<std::size_t>(table.shape[1]);
    const std::size_t bytes = row_bytes(table.dtype, hidden);
    const auto* const ids = static_cast<const std::int32_t*>(token_ids.data);
    for_rows(out.shape[0], hidden * sizeof(float), [&](std::int64_t r) noexcept {
      MOEBENCH_CHECK(ids[r] >= 0 && ids[r] < table.shape[0]);
      to_f32(out.row<float>(r), table.data + static_cast<std::size_t>(ids[r]) * bytes, table.dtype,
             hidden);
    });
  }

  void rms_norm(const Tensor& out, const Tensor& x, const Weight& weight, float epsilon) override {
    const float* const w = static_cast<const F32Vector&>(weight).data();
    const bool per_head = x.shape.rank() == 3;
    const std::int64_t heads = per_head ? x.shape[1] : 1, width = x.shape.back();
    for_rows(x.shape[0], static_cast<std::size_t>(heads * width) * sizeof(float),
             [&](std::int64_t r) noexcept {
               for (std::int64_t h = 0; h < heads; ++h)
                 kernels_.rms_norm(out.row<float>(r) + (per_head ? h * out.strides[1] : 0),
                                   x.row<float>(r) + (per_head ? h * x.strides[1] : 0), w, width,
                                   epsilon);
             });
  }

  void matmul(const Tensor& x, std::span<const MatmulTarget> targets) override {
    cpu::matmul(x, targets, kernels_, pool_, forms_);
  }
  void head_matmul(const Tensor& out, const Tensor& x, const Weight& head_matrices) override {
    cpu::head_matmul(out, x, static_cast<const PackedHeads&>(head_matrices), kernels_, pool_,
                     forms_);
  }

  void rope(const Tensor& x, const Tensor& cos_sin, RopePairing pairing) override {
    const std::int64_t heads = x.shape[1], half = x.shape[2] / 2;
    for_rows(x.shape[0], static_cast<std::size_t>(heads * half) * 4 * sizeof(float),
             [&](std::int64_t r) noexcept {
               const float* const angles = cos_sin.row<float>(r);
               for (std::int64_t h = 0; h < heads; ++h) {
                 float* const v = x.row<float>(r) + h * x.strides[1];
                 for (std::int64_t i = 0; i < half; ++i) {
                   float& a = v[pairing == RopePairing::kHalves ? i : 2 * i];
                   float& b = v[pairing == RopePairing::kHalves ? i + half : 2 * i + 1];
                   const float cos = angles[2 * i], sin = angles[2 * i + 1];
                   const float turned = a * cos - b * sin;
                   b = a * sin + b * cos;
                   a = turned;
                 }
               }
             });
  }

  void cache_write(const KvLayer& cache, const Tensor& keys, const Tensor& values,
                   const AttentionBatch& batch) override {
    attention_.write(cache, keys, values, batch);
  }
  void attention(const Tensor& out, const Tensor& q, const KvLayer& cache,
                 const AttentionBatch& batch, const AttentionOptions& options) override {
    attention_.run(out, q, cache, batch, options);
  }

  void gated_mlp(const Tensor& out, const Tensor& x, const Weight& expert, bool accumulate,
                 const Tensor* gate_logit) override {
    experts_.single(out, x, static_cast<const PackedExperts&>(expert), accumulate, gate_logit);
  }
  void experts(const Tensor& out, const Tensor& x, const Weight& experts, const Tensor& expert_ids,
               const Tensor& expert_weights) override {
    experts_.routed(out, x, static_cast<const PackedExperts&>(experts), expert_ids, expert_weights);
  }

  void route(const Tensor& expert_ids, const Tensor& expert_weights, const Tensor& logits,
             const Weight* selection_bias, const RouterOptions& options,
             const Tensor* counts) override {
    const float* const bias =
        selection_bias != nullptr ? static_cast<const F32Vector*>(selection_bias)->data() : nullptr;
    route_scratch_.resize(static_cast<std::size_t>(route_scratch_floats(options)));
    for (std::int64_t r = 0; r < logits.shape[0]; ++r) {
      auto* const ids = expert_ids.row<std::int32_t>(r);
      route_row(logits.row<float>(r), bias, options, ids, expert_weights.row<float>(r),
                route_scratch_.data());
      if (counts == nullptr) continue;
      for (std::int32_t k = 0; k < options.top_k; ++k)
        ++static_cast<std::int64_t*>(counts->data)[ids[k]];
    }
  }

  void gather_rows(const Tensor& out, const Tensor& x, const Tensor& row_ids) override {
    const auto* const ids = static_cast<const std::int32_t*>(row_ids.data);
    const auto bytes = static_cast<std::size_t>(x.shape[1]) * sizeof(float);
    for (std::int64_t r = 0; r < out.shape[0]; ++r)
      std::memcpy(out.row<float>(r), x.row<float>(ids[r]), bytes);
  }

  void sample(const Tensor& token_ids, const Tensor& logits,
              std::span<const SampleRow> rows) override {
    auto* const ids = static_cast<std::int32_t*>(token_ids.data);
    const std::int64_t vocab = logits.shape[1];
    pool_.run(static_cast<std::int64_t>(rows.size()), [&](std::int64_t r, int thread) {
      ids[r] = sample_row(logits.row<float>(r), vocab, rows[static_cast<std::size_t>(r)],
                          sample_scratch_[static_cast<std::size_t>(thread)]);
    });
  }

 private:
  // Row-wise ops are short: below this many bytes waking the other threads costs more than it
  // saves.
  static constexpr std::size_t kSerialBytes = 128 << 10;
  static constexpr std::int64_t kRowsPerChunk = 8;

  template <class Row>
  void for_rows(std::int64_t rows, std::size_t row_bytes, Row&& row) {
    if (static_cast<std::size_t>(rows) * row_bytes < kSerialBytes) {
      for (std::int64_t r = 0; r < rows; ++r) row(r);
      return;
    }
    pool_.run((rows + kRowsPerChunk - 1) / kRowsPerChunk, [&](std::int64_t chunk, int) noexcept {
      const std::int64_t end = std::min(rows, (chunk + 1) * kRowsPerChunk);
      for (std::int64_t r = chunk * kRowsPerChunk; r < end; ++r) row(r);
    });
  }

  const Kernels& kernels_;
  ThreadPool pool_;
  RowForms forms_;
  ExpertRunner experts_;
  AttentionRunner attention_;
  std::vector<float> route_scratch_;
  std::vector<std::vector<SampleCandidate>> sample_scratch_;
};

}  // namespace
}  // namespace cpu

std::unique_ptr<Backend> make_cpu_backend(int threads) {
  return std::make_unique<cpu::CpuBackend>(threads);
}

}  // namespace moebench
