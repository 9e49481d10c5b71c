#include "engine/backends/cuda/cuda_backend.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/backends/cuda/cuda_error.h"
#include "engine/backends/cuda/device_context.h"
#include "engine/backends/cuda/device_memory.h"
#include "engine/backends/cuda/graphs.h"
#include "engine/backends/cuda/kernels/attention.cuh"
#include "engine/backends/cuda/kernels/blas_lt.h"
#include "engine/backends/cuda/kernels/experts.cuh"
#include "engine/backends/cuda/kernels/gated_mlp.cuh"
#include "engine/backends/cuda/kernels/head_matmul.cuh"
#include "engine/backends/cuda/kernels/matmul.cuh"
#include "engine/backends/cuda/kernels/packing.h"
#include "engine/backends/cuda/kernels/rms_norm.cuh"
#include "engine/backends/cuda/kernels/rope.cuh"
#include "engine/backends/cuda/kernels/route.cuh"
#include "engine/backends/cuda/kernels/rows.cuh"
#include "engine/backends/cuda/kernels/sample.cuh"
#include "engine/base/error.h"
#include "engine/tensor/convert.h"

namespace moebench::cuda {
namespace {

class CudaBuffer final : public Buffer {
 public:
  CudaBuffer(std::size_t bytes, cudaStream_t stream) : memory_(bytes, "a tensor") {
    if (bytes > 0) check(cudaMemsetAsync(memory_.data(), 0, bytes, stream), "clearing memory");
  }
  void* data() const noexcept override { return memory_.data(); }
  std::size_t size_bytes() const noexcept override { return memory_.size_bytes(); }

 private:
  DeviceMemory memory_;
};

/// What a weight owns; the views into it are the ops' arguments.
class CudaWeight : public Weight {
 public:
  std::size_t size_bytes() const noexcept override { return memory_.size_bytes(); }

 protected:
  explicit CudaWeight(std::size_t bytes) : memory_(bytes, "the model's weights") {}
  DeviceMemory memory_;
};

void refuse_unknown(DType dtype) {
  if (!can_pack(dtype))
    throw Error(ErrorCode::kBadModel,
                "the CUDA backend cannot read weights of type " + std::string(name(dtype)));
}

/// A matrix's place in memory that is not there yet.
DeviceMatrix planned(DType packed, std::int64_t n, std::int64_t k) {
  return {nullptr, packed, n, k, static_cast<std::int64_t>(packed_row_bytes(packed, k))};
}

std::size_t bytes_of(const DeviceMatrix& m) {
  return static_cast<std::size_t>(m.n) * static_cast<std::size_t>(m.row_bytes);
}

/// Rows of `source` (rows, k) into rows first_row .. of `matrix`.
void upload_rows(Uploader& uploader, const DeviceMatrix& matrix, std::int64_t first_row,
                 const TensorView& source) {
  uploader.rows(
      const_cast<std::byte*>(matrix.row(first_row)), source.shape.elements() / source.shape.back(),
      static_cast<std::size_t>(matrix.row_bytes),
      [&](std::byte* to, std::int64_t row) { pack_view_row(to, matrix.dtype, source, row); });
}

class CudaMatrix final : public CudaWeight {
 public:
  /// `source` (n, k) or (heads, n, k).
  CudaMatrix(Uploader& uploader, const TensorView& source, DType packed)
      : CudaWeight(bytes_of(
            planned(packed, source.shape.elements() / source.shape.back(), source.shape.back()))),
        matrix(
            planned(packed, source.shape.elements() / source.shape.back(), source.shape.back())) {
    matrix.data = memory_.data();
    upload_rows(uploader, matrix, 0, source);
  }
  DeviceMatrix matrix;
};

class CudaVector final : public CudaWeight {
 public:
  CudaVector(Uploader& uploader, const std::vector<float>& values)
      : CudaWeight(values.size() * sizeof(float)) {
    uploader.copy(memory_.data(), values.data(), values.size() * sizeof(float));
  }
  const float* data() const { return reinterpret_cast<const float*>(memory_.data()); }
};

/// Rows as stored where the kernel can read them (rows.cuh), else as F32.
class CudaEmbedding final : public CudaWeight {
 public:
  CudaEmbedding(Uploader& uploader, const TensorView& source)
      : CudaWeight(static_cast<std::size_t>(source.shape[0]) *
                   row_bytes(kept_type(source.dtype), static_cast<std::size_t>(source.shape[1]))),
        dtype(kept_type(source.dtype)) {
    const auto k = static_cast<std::size_t>(source.shape[1]);
    if (dtype == source.dtype) {
      uploader.copy(memory_.data(), source.data, source.size_bytes());
      return;
    }
    const std::size_t stored_bytes = row_bytes(source.dtype, k);
    uploader.rows(
        memory_.data(), source.shape[0], k * sizeof(float), [&](std::byte* to, std::int64_t row) {
          to_f32(reinterpret_cast<float*>(to),
                 source.data + static_cast<std::size_t>(row) * stored_bytes, source.dtype, k);
        });
  }
  static DType kept_type(DType stored) { return can_embed(stored) ? stored : DType::kF32; }
  const std::byte* data() const { return memory_.data(); }
  DType dtype;
};

/// One type for all experts' matrices of a kind: theirs where they agree; BF16 for FP8 and BF16
/// (whose range F16 lacks); else F16.
DType common_type(std::span<const TensorView> a, std::span<const TensorView> b = {}) {
  const DType first = packed_dtype(a[0].dtype);
  bool same = true, wide_range = true;
  for (const std::span<const TensorView> views : {a, b})
    for (const TensorView& view : views) {
      refuse_unknown(view.dtype);
      same = same && packed_dtype(view.dtype) == first;
      wide_range = wide_range && (view.dtype == DType::kBF16 || view.dtype == DType::kF8E4M3);
    }
  if (same) return first;
  return wide_range ? DType::kBF16 : DType::kF16;
}

class CudaExperts final : public CudaWeight {
 public:
  CudaExperts(Uploader& uploader, const ExpertSources& sources, const DeviceExperts& plan)
      : CudaWeight(bytes_of(plan.gate) + bytes_of(plan.up) + bytes_of(plan.down)), experts(plan) {
    experts.gate.data = memory_.data();
    experts.up.data = experts.gate.data + bytes_of(plan.gate);
    experts.down.data = experts.up.data + bytes_of(plan.up);
    for (std::int64_t e = 0; e < plan.n_experts; ++e) {
      const auto i = static_cast<std::size_t>(e);
      upload_rows(uploader, experts.gate, e * plan.width, sources.gate[i]);
      upload_rows(uploader, experts.up, e * plan.width, sources.up[i]);
      upload_rows(uploader, experts.down, e * plan.hidden, sources.down[i]);
    }
  }
  static DeviceExperts plan(const ExpertSources& sources) {
    DeviceExperts e;
    e.n_experts = static_cast<std::int64_t>(sources.gate.size());
    e.width = sources.gate[0].shape[0];
    e.hidden = sources.gate[0].shape[1];
    for (const DType dtype : {sources.gate[0].dtype, sources.up[0].dtype, sources.down[0].dtype})
      refuse_unknown(dtype);
    const DType wide = common_type(sources.gate, sources.up);
    e.gate = e.up = planned(wide, e.n_experts * e.width, e.hidden);
    e.down = planned(common_type(sources.down), e.n_experts * e.hidden, e.width);
    return e;
  }
  DeviceExperts experts;
};

/// Destroyed last.
class Stream {
 public:
  Stream() {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a stream");
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { cudaStreamDestroy(stream_); }
  cudaStream_t stream() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

const float* vector_data(const Weight* weight) {
  return weight == nullptr ? nullptr : static_cast<const CudaVector*>(weight)->data();
}

int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, device), "asking for the device's properties");
  return value;
}

class CudaBackend final : public Backend {
 public:
  CudaBackend(int index, const cudaDeviceProp& properties, DenseProducts dense)
      : index_(index),
        scratch_(stream_.stream()),
        uploader_(stream_.stream()),
        graphs_(stream_.stream()) {
    device_.stream = stream_.stream();
    device_.compute_capability = properties.major * 10 + properties.minor;
    device_.n_multiprocessors = properties.multiProcessorCount;
    device_.max_shared_bytes =
        static_cast<std::size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, index));
    device_.scratch = &scratch_;
    info_ = {"cuda:" + std::to_string(index), properties.name,
             "sm_" + std::to_string(device_.compute_capability), 1};
    if (dense == DenseProducts::kCublasLt) {
      device_.blas_lt = &blas_lt_.emplace();
      info_.isa += ", dense products by cuBLASLt " + blas_lt_->version();
    }
  }
  ~CudaBackend() override { cudaStreamSynchronize(device_.stream); }

  BackendInfo info() const override { return info_; }
  std::optional<std::size_t> free_memory_bytes() const override {
    use_device();
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "asking for its free memory");
    return free;
  }

  std::unique_ptr<Buffer> allocate(std::size_t bytes) override {
    use_device();
    return std::make_unique<CudaBuffer>(bytes, device_.stream);
  }
  void upload(void* device, const void* host, std::size_t bytes) override {
    use_device();
    uploader_.copy(device, host, bytes);
  }
  void download(void* host, const void* device, std::size_t bytes) override {
    use_device();
    if (bytes > 0)
      check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, device_.stream),
            "downloading");
    check(cudaStreamSynchronize(device_.stream), "running its kernels");
  }
  void synchronize() override {
    use_device();
    check(cudaStreamSynchronize(device_.stream), "running its kernels");
  }

  std::unique_ptr<Weight> prepare_matrix(const TensorView& source) override {
    MOEBENCH_CHECK(source.shape.rank() == 2);
    refuse_unknown(source.dtype);
    use_device();
    return std::make_unique<CudaMatrix>(uploader_, source, packed_dtype(source.dtype));
  }
  bool keeps_fp8(const TileScales& scales, std::int64_t tile_rows) const override {
    return can_pack_f8(scales, tile_rows);
  }
  std::size_t prepared_bytes(DType stored, std::int64_t n, std::int64_t k) const override {
    refuse_unknown(stored);
    return static_cast<std::size_t>(n) * packed_row_bytes(packed_dtype(stored), k);
  }
  std::unique_ptr<Weight> prepare_vector(const TensorView& source) override {
    use_device();
    if (!can_convert_to_f32(source.dtype))
      throw Error(ErrorCode::kBadModel, "the CUDA backend cannot read vectors of type " +
                                            std::string(name(source.dtype)));
    std::vector<float> values(static_cast<std::size_t>(source.shape.elements()));
    to_f32(values.data(), source.data, source.dtype, values.size());
    return std::make_unique<CudaVector>(uploader_, values);
  }
  std::unique_ptr<Weight> prepare_embedding(const TensorView& source) override {
    MOEBENCH_CHECK(source.shape.rank() == 2);
    if (!can_convert_to_f32(source.dtype)) refuse_unknown(source.dtype);
    use_device();
    return std::make_unique<CudaEmbedding>(uploader_, source);
  }
  std::unique_ptr<Weight> prepare_head_matrices(const TensorView& source, DType stored) override {
    MOEBENCH_CHECK(source.shape.rank() == 3 && source.dtype == DType::kF32);
    use_device();
    return std::make_unique<CudaMatrix>(uploader_, source,
                                        stored == DType::kF32 ? DType::kF32 : DType::kF16);
  }
  std::unique_ptr<Weight> prepare_experts(const ExpertSources& sources) override {
    MOEBENCH_CHECK(!sources.gate.empty() && sources.gate.size() == sources.up.size() &&
                   sources.gate.size() == sources.down.size());
    use_device();
    return std::make_unique<CudaExperts>(uploader_, sources, CudaExperts::plan(sources));
  }

  bool replay(std::span<const std::int64_t> key) override {
    use_device();
    return graphs_.replay(key, scratch_.generation());
  }
  bool begin_recording(std::span<const std::int64_t> key) override { return graphs_.begin(key); }
  void end_recording() override { graphs_.end(scratch_.generation()); }

  void embed(const Tensor& out, const Weight& embedding, const Tensor& token_ids) override {
    use_device();
    const auto& table = static_cast<const CudaEmbedding&>(embedding);
    cuda::embed(device_, out, table.data(), table.dtype, token_ids);
  }
  void rms_norm(const Tensor& out, const Tensor& x, const Weight& weight, float epsilon) override {
    use_device();
    cuda::rms_norm(device_, out, x, vector_data(&weight), epsilon);
  }
  void matmul(const Tensor& x, std::span<const MatmulTarget> targets) override {
    use_device();
    targets_.clear();
    for (const MatmulTarget& t : targets)
      targets_.push_back({static_cast<const CudaMatrix*>(t.weight)->matrix, t.out,
                          vector_data(t.bias), t.accumulate});
    cuda::matmul(device_, x, targets_);
  }
  void head_matmul(const Tensor& out, const Tensor& x, const Weight& head_matrices) override {
    use_device();
    cuda::head_matmul(device_, out, x, static_cast<const CudaMatrix&>(head_matrices).matrix);
  }
  void rope(const Tensor& x, const Tensor& cos_sin, RopePairing pairing) override {
    use_device();
    cuda::rope(device_, x, cos_sin, pairing);
  }
  void cache_write(const KvLayer& cache, const Tensor& keys, const Tensor& values,
                   const AttentionBatch& batch) override {
    use_device();
    cuda::cache_write(device_, cache, keys, values, batch);
  }
  void attention(const Tensor& out, const Tensor& q, const KvLayer& cache,
                 const AttentionBatch& batch, const AttentionOptions& options) override {
    use_device();
    cuda::attention(device_, out, q, cache, batch, options);
  }
  void gated_mlp(const Tensor& out, const Tensor& x, const Weight& expert, bool accumulate,
                 const Tensor* gate_logit) override {
    use_device();
    cuda::gated_mlp(device_, out, x, static_cast<const CudaExperts&>(expert).experts, accumulate,
                    gate_logit);
  }
  void route(const Tensor& expert_ids, const Tensor& expert_weights, const Tensor& logits,
             const Weight* selection_bias, const RouterOptions& options,
             const Tensor* counts) override {
    use_device();
    cuda::route(device_, expert_ids, expert_weights, logits, vector_data(selection_bias), options,
                counts);
  }
  void experts(const Tensor& out, const Tensor& x, const Weight& experts, const Tensor& expert_ids,
               const Tensor& expert_weights) override {
    use_device();
    cuda::experts(device_, out, x, static_cast<const CudaExperts&>(experts).experts, expert_ids,
                  expert_weights);
  }
  void gather_rows(const Tensor& out, const Tensor& x, const Tensor& row_ids) override {
    use_device();
    cuda::gather_rows(device_, out, x, row_ids);
  }
  void sample(const Tensor& token_ids, const Tensor& logits,
              std::span<const SampleRow> rows) override {
    use_device();
    if (rows.empty()) return;
    if (rows.size_bytes() > sample_rows_.size_bytes()) {
      synchronize();
      sample_rows_ = DeviceMemory(rows.size_bytes(), "the sampling settings");
    }
    uploader_.copy(sample_rows_.data(), rows.data(), rows.size_bytes());
    cuda::sample(device_, token_ids, logits,
                 reinterpret_cast<const SampleRow*>(sample_rows_.data()));
  }

 private:
  /// CUDA's current device belongs to the thread, and ops come from the step loop's.
  void use_device() const { check(cudaSetDevice(index_), "choosing the device"); }

  int index_;
  Stream stream_;
  Scratch scratch_;
  Uploader uploader_;
  Graphs graphs_;
  std::optional<BlasLt> blas_lt_;
  DeviceContext device_{};
  BackendInfo info_;
  std::vector<DeviceTarget> targets_;
  DeviceMemory sample_rows_;
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(int index, DenseProducts dense) {
  int n_devices = 0;
  check(cudaGetDeviceCount(&n_devices), "counting the devices");
  if (index < 0 || index >= n_devices)
    throw Error(ErrorCode::kUsage,
                "there is no device cuda:" + std::to_string(index) + "; there " +
                    (n_devices == 1 ? "is 1" : "are " + std::to_string(n_devices)),
                "moebench devices lists them");
  check(cudaSetDevice(index), "choosing the device");
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "asking for the device's properties");
  if (properties.major < 8)
    throw Error(ErrorCode::kUsage, std::string(properties.name) + " has compute capability " +
                                       std::to_string(properties.major) + "." +
                                       std::to_string(properties.minor) +
                                       "; the CUDA backend needs 8.0 or newer");
  return std::make_unique<CudaBackend>(index, properties, dense);
}

}  // namespace moebench::cuda
