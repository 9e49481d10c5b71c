#include "engine/backends/host_experts.h"

#include <string>
#include <utility>

namespace moebench {
namespace {

class HostExperts final : public Weight {
 public:
  explicit HostExperts(std::unique_ptr<Weight> on_host) : weight(std::move(on_host)) {}
  std::size_t size_bytes() const noexcept override { return weight->size_bytes(); }
  std::unique_ptr<Weight> weight;
};

/// From a tensor's first element to its last.
std::size_t span_bytes(const Tensor& t) {
  std::int64_t elements = 1;
  for (std::size_t i = 0; i < t.shape.rank(); ++i) elements += (t.shape[i] - 1) * t.strides[i];
  return row_bytes(t.dtype, static_cast<std::size_t>(elements));
}

class BackendWithHostExperts final : public Backend {
 public:
  BackendWithHostExperts(std::unique_ptr<Backend> device, std::unique_ptr<Backend> host)
      : device_(std::move(device)), host_(std::move(host)) {}

  BackendInfo info() const override {
    BackendInfo info = device_->info();
    const BackendInfo host = host_->info();
    info.isa += ", experts " + host.isa;
    info.threads = host.threads;
    return info;
  }
  std::unique_ptr<Buffer> allocate(std::size_t bytes) override { return device_->allocate(bytes); }
  void upload(void* to, const void* from, std::size_t bytes) override {
    device_->upload(to, from, bytes);
  }
  void download(void* to, const void* from, std::size_t bytes) override {
    device_->download(to, from, bytes);
  }
  void synchronize() override { device_->synchronize(); }
  std::optional<std::size_t> free_memory_bytes() const override {
    return device_->free_memory_bytes();
  }

  std::unique_ptr<Weight> prepare_matrix(const TensorView& source) override {
    return device_->prepare_matrix(source);
  }
  bool keeps_fp8(const TileScales& scales, std::int64_t tile_rows) const override {
    return device_->keeps_fp8(scales, tile_rows) && host_->keeps_fp8(scales, tile_rows);
  }
  std::size_t prepared_bytes(DType stored, std::int64_t n, std::int64_t k) const override {
    return device_->prepared_bytes(stored, n, k);
  }
  std::unique_ptr<Weight> prepare_vector(const TensorView& source) override {
    return device_->prepare_vector(source);
  }
  std::unique_ptr<Weight> prepare_embedding(const TensorView& source) override {
    return device_->prepare_embedding(source);
  }
  std::unique_ptr<Weight> prepare_head_matrices(const TensorView& source, DType stored) override {
    return device_->prepare_head_matrices(source, stored);
  }
  std::unique_ptr<Weight> prepare_experts(const ExpertSources& sources) override {
    if (sources.gate.size() < 2) return device_->prepare_experts(sources);  // a dense MLP
    any_on_host_ = true;
    return std::make_unique<HostExperts>(host_->prepare_experts(sources));
  }

  bool replay(std::span<const std::int64_t> key) override {
    return !any_on_host_ && device_->replay(key);
  }
  bool begin_recording(std::span<const std::int64_t> key) override {
    return !any_on_host_ && device_->begin_recording(key);
  }
  void end_recording() override {
    if (!any_on_host_) device_->end_recording();
  }

  void embed(const Tensor& out, const Weight& embedding, const Tensor& token_ids) override {
    device_->embed(out, embedding, token_ids);
  }
  void rms_norm(const Tensor& out, const Tensor& x, const Weight& weight, float epsilon) override {
    device_->rms_norm(out, x, weight, epsilon);
  }
  void matmul(const Tensor& x, std::span<const MatmulTarget> targets) override {
    device_->matmul(x, targets);
  }
  void head_matmul(const Tensor& out, const Tensor& x, const Weight& head_matrices) override {
    device_->head_matmul(out, x, head_matrices);
  }
  void rope(const Tensor& x, const Tensor& cos_sin, RopePairing pairing) override {
    device_->rope(x, cos_sin, pairing);
  }
  void cache_write(const KvLayer& cache, const Tensor& keys, const Tensor& values,
                   const AttentionBatch& batch) override {
    device_->cache_write(cache, keys, values, batch);
  }
  void attention(const Tensor& out, const Tensor& q, const KvLayer& cache,
                 const AttentionBatch& batch, const AttentionOptions& options) override {
    device_->attention(out, q, cache, batch, options);
  }
  void gated_mlp(const Tensor& out, const Tensor& x, const Weight& expert, bool accumulate,
                 const Tensor* gate_logit) override {
    device_->gated_mlp(out, x, expert, accumulate, gate_logit);
  }
  void route(const Tensor& expert_ids, const Tensor& expert_weights, const Tensor& logits,
             const Weight* selection_bias, const RouterOptions& options,
             const Tensor* counts) override {
    device_->route(expert_ids, expert_weights, logits, selection_bias, options, counts);
  }
  void experts(const Tensor& out, const Tensor& x, const Weight& experts, const Tensor& expert_ids,
               const Tensor& expert_weights) override {
    const auto* const on_host = dynamic_cast<const HostExperts*>(&experts);
    if (on_host == nullptr) return device_->experts(out, x, experts, expert_ids, expert_weights);
    if (x.shape[0] == 0) return;
    const Tensor sums = fetch(out, out_);
    host_->experts(sums, fetch(x, x_), *on_host->weight, fetch(expert_ids, ids_),
                   fetch(expert_weights, weights_));
    host_->synchronize();
    device_->upload(out.data, sums.data, span_bytes(out));
  }
  void gather_rows(const Tensor& out, const Tensor& x, const Tensor& row_ids) override {
    device_->gather_rows(out, x, row_ids);
  }
  void sample(const Tensor& token_ids, const Tensor& logits,
              std::span<const SampleRow> rows) override {
    device_->sample(token_ids, logits, rows);
  }

 private:
  /// A device's tensor in host memory, which grows as needed.
  Tensor fetch(const Tensor& on_device, std::unique_ptr<Buffer>& memory) {
    const std::size_t bytes = span_bytes(on_device);
    if (memory == nullptr || memory->size_bytes() < bytes) memory = host_->allocate(bytes);
    device_->download(memory->data(), on_device.data, bytes);
    Tensor t = on_device;
    t.data = memory->data();
    return t;
  }

  std::unique_ptr<Backend> device_, host_;
  std::unique_ptr<Buffer> out_, x_, ids_, weights_;  // of host_
  bool any_on_host_ = false;
};

}  // namespace

std::unique_ptr<Backend> with_host_experts(std::unique_ptr<Backend> device,
                                           std::unique_ptr<Backend> host) {
  return std::make_unique<BackendWithHostExperts>(std::move(device), std::move(host));
}

}  // namespace moebench
