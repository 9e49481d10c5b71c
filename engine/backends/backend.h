#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "engine/tensor/tensor.h"

namespace moebench {

// The seam between the transformer (engine/model/forward) and the machine. A backend owns memory
// and one in-order stream of work: every op below only enqueues, Tensors stay in the backend's
// memory, and host memory is touched by upload and download alone. No backend knows a model family:
// what differs between families is in the arguments.
//
// Invariants that each backend keeps (tests/conformance):
//  - a row's result depends on that row's inputs alone: bit-identical whatever the other rows,
//  their
//    number, their order and the number of threads;
//  - activations and accumulations are F32 (matmul may round its input per row, e.g. to int8
//  blocks,
//    for block-quantised weights);
//  - ops are noexcept in their kernels; a device failure throws Error(kDevice) from synchronize().

/// Memory of a backend; freed with the object. data() is a host pointer on host backends only.
class Buffer {
 public:
  virtual ~Buffer() = default;
  virtual void* data() const noexcept = 0;
  virtual std::size_t size_bytes() const noexcept = 0;
};

/// A weight in the layout that the backend chose for it (mapped as is, repacked into tiles,
/// uploaded).
class Weight {
 public:
  virtual ~Weight() = default;
  virtual std::size_t size_bytes() const noexcept = 0;  ///< memory it occupies, apart from the file
};

/// The linear maps of all experts of a layer, prepared together: gate and up interleaved as the
/// backend's fused kernel likes them.
struct ExpertSources {
  // One view per expert: gate and up are (expert_width, hidden), down is (hidden, expert_width).
  std::span<const TensorView> gate, up, down;
};

/// One linear map applied to x: out (+)= x W^T (+ bias).
struct MatmulTarget {
  const Weight* weight;          // (n, k), from prepare_matrix
  Tensor out;                    // (tokens, n) F32, rows may be strided
  const Weight* bias = nullptr;  // (n), from prepare_vector
  bool accumulate = false;       // add to out instead of overwriting it
};

enum class RopePairing : std::uint8_t {
  kHalves,       ///< element i turns with i + dim/2 (Llama, Qwen in Hugging Face layout)
  kInterleaved,  ///< element 2i turns with 2i + 1 (DeepSeek; GGUF's Llama)
};

enum class RouterScoring : std::uint8_t { kSoftmax, kSigmoid };
enum class RouterGroupScore : std::uint8_t {
  kMax,     ///< DeepSeek-V2: a group is worth its best expert
  kTop2Sum  ///< DeepSeek-V3: the sum of its two best
};

/// How a router turns logits into experts and weights. Selection uses score + bias; the weights use
/// the score alone. Equal scores: the lower expert index wins.
struct RouterOptions {
  RouterScoring scoring = RouterScoring::kSoftmax;
  std::int32_t n_experts = 0;
  std::int32_t top_k = 0;
  std::int32_t n_groups = 1;
  std::int32_t top_k_groups = 1;
  RouterGroupScore group_score = RouterGroupScore::kMax;
  bool normalize_weights = false;  ///< divide the k weights by their sum (+ 1e-20)
  float weight_scale = 1.0f;       ///< routed_scaling_factor, applied last
};

/// Which rows of a step belong to which sequence, and where its cache pages are. All Tensors are
/// I32 in the backend's memory. Rows of one sequence are neighbours and in order of position.
struct AttentionBatch {
  std::int64_t n_sequences = 0;
  std::int64_t n_tokens = 0;
  std::int64_t max_context_tokens = 0;  ///< largest context after this step, for workspace sizing
  Tensor query_begin;                   // (n_sequences + 1): first row of each sequence
  Tensor context_tokens;                // (n_sequences): cached tokens after this step's writes
  Tensor block_table;      // (n_sequences, max_blocks): page of each block of kBlockTokens
  Tensor positions;        // (n_tokens): position of each row in its sequence
  Tensor sequence_of_row;  // (n_tokens)
};

/// Paged cache of one layer. MLA keeps one head of latent + rotary values as the key, and the value
/// is the first `value_width` elements of the key (values.data == nullptr).
struct KvLayer {
  static constexpr std::int64_t kBlockTokens = 32;
  Tensor keys;    // (n_pages, kBlockTokens, kv_heads, key_width) F32 or F16
  Tensor values;  // (n_pages, kBlockTokens, kv_heads, value_width), or no data: a prefix of the key
  std::int64_t value_width = 0;
};

struct AttentionOptions {
  float scale = 0.0f;
  std::int64_t sliding_window_tokens = 0;  ///< 0: all; w: a row sees positions p - w + 1 .. p
};

/// What sampling needs for one row. `uniform` in [0, 1) is drawn by the runtime from a
/// counter-based generator keyed by (seed, sample, position), so that a row's token never depends
/// on its slot.
struct SampleRow {
  float temperature = 0.0f;  ///< 0: greedy, lowest id among equals
  float top_p = 1.0f;
  std::int32_t top_k = 0;  ///< 0: no limit
  float uniform = 0.0f;
};

struct BackendInfo {
  std::string name;         ///< "reference", "cpu", "cuda:0"
  std::string description;  ///< the device in words
  std::string isa;          ///< "scalar", "avx2", "sm_90"
  int threads = 1;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual BackendInfo info() const = 0;

  // --- memory. Throws Error(kDevice) with the figures when there is too little.
  virtual std::unique_ptr<Buffer> allocate(std::size_t bytes) = 0;  ///< zeroed, 64-byte aligned
  virtual void upload(void* device, const void* host, std::size_t bytes) = 0;
  virtual void download(void* host, const void* device, std::size_t bytes) = 0;  ///< waits
  virtual void synchronize() = 0;
  /// What is free of the device's own memory; nothing for a backend that works in the host's.
  virtual std::optional<std::size_t> free_memory_bytes() const { return std::nullopt; }

  // --- weights: the bytes of `source` need to stay valid (a mapping) only when the returned Weight
  // says size_bytes() == 0; otherwise they were copied or repacked. Types: every DType the room's
  // README lists; an unsupported one throws Error(kBadModel).
  virtual std::unique_ptr<Weight> prepare_matrix(const TensorView& source) = 0;  // (n, k)
  /// Whether prepare_matrix and prepare_experts take FP8 with these scales over `tile_rows` tiles
  /// as they are (TensorView::tiles); else the loader hands BF16. `scales.data` null: any usual
  /// scales.
  virtual bool keeps_fp8(const TileScales& /*scales*/, std::int64_t /*tile_rows*/) const {
    return false;
  }
  /// What prepare_matrix takes of the device's memory for rows (n, k) of a stored type.
  virtual std::size_t prepared_bytes(DType stored, std::int64_t n, std::int64_t k) const {
    return static_cast<std::size_t>(n) * row_bytes(stored, static_cast<std::size_t>(k));
  }
  virtual std::unique_ptr<Weight> prepare_vector(const TensorView& source) = 0;  // (n) -> F32
  virtual std::unique_ptr<Weight> prepare_embedding(
      const TensorView& source) = 0;  // (vocab, hidden)
  /// One (n, k) matrix per head, given as F32 (heads, n, k): MLA's absorbed projections.
  /// `stored` is the checkpoint's type: F32 keeps F32, 16 bits may be kept in F16, block-quantised
  /// types in Q8_0.
  virtual std::unique_ptr<Weight> prepare_head_matrices(const TensorView& source, DType stored) = 0;
  virtual std::unique_ptr<Weight> prepare_experts(const ExpertSources& sources) = 0;

  // --- recorded steps: a backend may keep the ops of a step and start them all at once later (CUDA
  // graphs). `key` has to tell every shape and every address that the ops between begin and end are
  // given; what they read may change.
  /// Runs what was recorded under `key`; false when nothing was.
  virtual bool replay(std::span<const std::int64_t> /*key*/) { return false; }
  /// The ops from here to end_recording() are those of `key`. True when they are being kept: then
  /// all of them have to come; they run at end_recording().
  virtual bool begin_recording(std::span<const std::int64_t> /*key*/) { return false; }
  virtual void end_recording() {}

  // --- ops
  /// out (tokens, hidden) = embedding[token_ids (tokens) I32]
  virtual void embed(const Tensor& out, const Weight& embedding, const Tensor& token_ids) = 0;
  /// out = x / sqrt(mean(x^2) + epsilon) * weight over the innermost dimension; (tokens, width) or
  /// (tokens, heads, width). out may be x.
  virtual void rms_norm(const Tensor& out, const Tensor& x, const Weight& weight,
                        float epsilon) = 0;
  /// Several maps of the same x (tokens, k), in one go: x is read (and rounded) once.
  virtual void matmul(const Tensor& x, std::span<const MatmulTarget> targets) = 0;
  /// out[t, h, :] (n) = W[h] (n, k) x[t, h, :] (k)
  virtual void head_matmul(const Tensor& out, const Tensor& x, const Weight& head_matrices) = 0;
  /// Turns the innermost dimension of x (tokens, heads, rope_dim) in place.
  /// cos_sin (tokens, rope_dim / 2, 2) F32 holds the angles of each row.
  virtual void rope(const Tensor& x, const Tensor& cos_sin, RopePairing pairing) = 0;
  /// Writes each row's key (tokens, kv_heads, key_width) and value into the pages of its sequence.
  virtual void cache_write(const KvLayer& cache, const Tensor& keys, const Tensor& values,
                           const AttentionBatch& batch) = 0;
  /// Causal attention of each row over its sequence's cache, itself included.
  /// out (tokens, heads, value_width), q (tokens, heads, key_width); heads % kv_heads == 0.
  virtual void attention(const Tensor& out, const Tensor& q, const KvLayer& cache,
                         const AttentionBatch& batch, const AttentionOptions& options) = 0;
  /// out (+)= (silu(x gate^T) * (x up^T)) down^T, times sigmoid(gate_logit[t]) where gate_logit
  /// (tokens, 1) is given (Qwen2-MoE's shared expert). One expert that every row uses; from
  /// prepare_experts.
  virtual void gated_mlp(const Tensor& out, const Tensor& x, const Weight& expert, bool accumulate,
                         const Tensor* gate_logit) = 0;
  /// expert_ids (tokens, top_k) I32 and expert_weights (tokens, top_k) F32, best first, from
  /// logits (tokens, n_experts). Adds the choices to counts (n_experts) I64 where given.
  virtual void route(const Tensor& expert_ids, const Tensor& expert_weights, const Tensor& logits,
                     const Weight* selection_bias, const RouterOptions& options,
                     const Tensor* counts) = 0;
  /// out (tokens, hidden) += sum over a row's experts of weight * expert(x). Each active expert's
  /// weights are read once a call; a row's sum runs over its experts in ascending expert id.
  virtual void experts(const Tensor& out, const Tensor& x, const Weight& experts,
                       const Tensor& expert_ids, const Tensor& expert_weights) = 0;
  /// out (rows, width) = x[row_ids (rows) I32]
  virtual void gather_rows(const Tensor& out, const Tensor& x, const Tensor& row_ids) = 0;
  /// token_ids (rows) I32 from logits (rows, vocab), one SampleRow a row (host memory, read at
  /// once). logits are left unchanged.
  virtual void sample(const Tensor& token_ids, const Tensor& logits,
                      std::span<const SampleRow> rows) = 0;
};

}  // namespace moebench
