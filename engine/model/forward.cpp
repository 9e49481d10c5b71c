#include "engine/model/forward.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "engine/base/check.h"

namespace moebench {
namespace {

std::atomic<std::int64_t> n_forwards = 0;

constexpr std::int64_t kAlignmentBytes = 64;

std::int64_t aligned(std::int64_t bytes) noexcept {
  return (bytes + kAlignmentBytes - 1) / kAlignmentBytes * kAlignmentBytes;
}

/// Widths of the workspace's rows: the largest over all layers.
struct Widths {
  std::int64_t q = 0, kv = 0, q_low_rank = 0, latent = 0, q_latent = 0, mixed_latent = 0, mixed = 0;
  std::int64_t n_experts = 0, top_k = 0, n_moe_layers = 0, latent_heads = 0;
};

Widths widths_of(const ModelConfig& config) {
  Widths w;
  const auto grow = [](std::int64_t& width, std::int64_t value) { width = std::max(width, value); };
  for (const LayerConfig& layer : config.layers) {
    const AttentionConfig& a = layer.attention;
    if (a.kind == AttentionKind::kGrouped) {
      grow(w.q, a.n_heads * a.head_dim);
      grow(w.kv, a.n_kv_heads * a.head_dim);
      grow(w.mixed, a.n_heads * a.head_dim);
    } else {
      const std::int64_t latent = a.kv_lora_rank + a.qk_rope_dim;
      grow(w.q, a.n_heads * (a.qk_nope_dim + a.qk_rope_dim));
      grow(w.q_low_rank, a.q_lora_rank);
      grow(w.latent, latent);
      grow(w.q_latent, a.n_heads * latent);
      grow(w.mixed_latent, a.n_heads * a.kv_lora_rank);
      grow(w.mixed, a.n_heads * a.value_dim);
      grow(w.latent_heads, a.n_heads);
    }
    if (layer.moe) {
      ++w.n_moe_layers;
      grow(w.n_experts, layer.moe->router.n_experts);
      grow(w.top_k, layer.moe->router.top_k);
    }
  }
  return w;
}

/// Bytes of a step's packed input; upload() lays it out in this order.
std::int64_t input_bytes(const ModelConfig& config, const ForwardLimits& limits) {
  const std::int64_t int_bytes = static_cast<std::int64_t>(sizeof(std::int32_t));
  const std::int64_t counts[] = {limits.max_tokens,     limits.max_tokens,
                                 limits.max_tokens,     limits.max_sequences + 1,
                                 limits.max_sequences,  limits.max_sequences * limits.max_blocks,
                                 limits.max_logit_rows, limits.max_tokens * config.rope.dim};
  std::int64_t bytes = 0;
  for (const std::int64_t count : counts) bytes += aligned(count * int_bytes);
  return bytes;
}

Tensor rows(const Tensor& tensor, std::int64_t n) noexcept {
  Tensor t = tensor;
  t.shape[0] = n;
  return t;
}

/// The start of a flat workspace as (tokens, width).
Tensor matrix(const Tensor& flat, std::int64_t tokens, std::int64_t width) noexcept {
  return Tensor::contiguous(flat.data, flat.dtype, {tokens, width});
}

/// Elements [begin, begin + width) of each head of x (tokens, heads * head_width).
Tensor heads(const Tensor& x, std::int64_t n_heads, std::int64_t head_width, std::int64_t begin,
             std::int64_t width) noexcept {
  Tensor t{static_cast<float*>(x.data) + begin, x.dtype, {x.shape[0], n_heads, width}, {}};
  t.strides = {x.strides[0], head_width, 1, 0};
  return t;
}

/// Columns [0, width) of x (tokens, ...).
Tensor columns(const Tensor& x, std::int64_t width) noexcept {
  Tensor t = x;
  t.shape[1] = width;
  return t;
}

/// (tokens, heads, width) as (tokens * heads, width), for tensors whose rows are evenly spaced.
Tensor merge_heads(const Tensor& x) noexcept {
  MOEBENCH_CHECK(x.strides[0] == x.shape[1] * x.strides[1]);
  Tensor t{x.data, x.dtype, {x.shape[0] * x.shape[1], x.shape[2]}, {}};
  t.strides = {x.strides[1], 1, 0, 0};
  return t;
}

}  // namespace

struct Forward::Inputs {
  std::int64_t n_tokens = 0;
  Tensor token_ids;   // (tokens) I32
  Tensor logit_rows;  // (logit rows) I32
  Tensor cos_sin;     // (tokens, rope_dim / 2, 2)
  AttentionBatch batch;
};

std::int64_t Forward::workspace_bytes(const ModelConfig& config, const ForwardLimits& limits) {
  const Widths w = widths_of(config);
  const std::int64_t row_values = 2 * config.hidden + w.q + 2 * w.kv + w.q_low_rank + w.latent +
                                  w.q_latent + w.mixed_latent + w.mixed + w.n_experts +
                                  2 * w.top_k + 1 + w.latent_heads;
  const std::int64_t values =
      limits.max_tokens * row_values + limits.max_logit_rows * (config.hidden + config.vocab);
  return values * 4 + w.n_moe_layers * w.n_experts * 8 + input_bytes(config, limits);
}

Tensor Forward::workspace(DType dtype, const Shape& shape) {
  const std::int64_t bytes = shape.elements() * static_cast<std::int64_t>(row_bytes(dtype, 1));
  if (bytes == 0) return Tensor{nullptr, dtype, shape, {}};
  buffers_.push_back(backend_.allocate(static_cast<std::size_t>(bytes)));
  workspace_bytes_ += bytes;
  return Tensor::contiguous(buffers_.back()->data(), dtype, shape);
}

Forward::Forward(const ModelConfig& config, const Weights& weights, Backend& backend,
                 const ForwardLimits& limits)
    : config_(config),
      weights_(weights),
      backend_(backend),
      limits_(limits),
      serial_(++n_forwards) {
  MOEBENCH_CHECK(weights.layers.size() == config.layers.size());
  const Widths w = widths_of(config);
  const std::int64_t n = limits.max_tokens;
  hidden_ = workspace(DType::kF32, {n, config.hidden});
  normed_ = workspace(DType::kF32, {n, config.hidden});
  q_ = workspace(DType::kF32, {n, w.q});
  k_ = workspace(DType::kF32, {n, w.kv});
  v_ = workspace(DType::kF32, {n, w.kv});
  q_low_rank_ = workspace(DType::kF32, {n, w.q_low_rank});
  latent_ = workspace(DType::kF32, {n, w.latent});
  q_latent_ = workspace(DType::kF32, {n, w.q_latent});
  mixed_latent_ = workspace(DType::kF32, {n, w.mixed_latent});
  mixed_ = workspace(DType::kF32, {n, w.mixed});
  router_logits_ = workspace(DType::kF32, {n, w.n_experts});
  expert_ids_ = workspace(DType::kI32, {n, w.top_k});
  expert_weights_ = workspace(DType::kF32, {n, w.top_k});
  gate_logit_ = workspace(DType::kF32, {n, 1});
  last_hidden_ = workspace(DType::kF32, {limits.max_logit_rows, config.hidden});
  logits_ = workspace(DType::kF32, {limits.max_logit_rows, config.vocab});
  expert_counts_ = workspace(DType::kI64, {w.n_moe_layers, w.n_experts});
  counting_ = workspace(DType::kI32, {n * w.latent_heads});
  if (counting_.data != nullptr) {
    std::vector<std::int32_t> numbers(static_cast<std::size_t>(n * w.latent_heads));
    std::iota(numbers.begin(), numbers.end(), 0);
    backend.upload(counting_.data, numbers.data(), numbers.size() * sizeof(std::int32_t));
  }
  staging_.resize(static_cast<std::size_t>(input_bytes(config, limits)));
  step_input_ = backend.allocate(staging_.size());
  workspace_bytes_ += static_cast<std::int64_t>(staging_.size());
}

Forward::Inputs Forward::upload(const ForwardInput& input) {
  std::int64_t end = 0;
  const auto reserve = [&](std::int64_t count) {
    const std::int64_t begin = end;
    end += aligned(count * static_cast<std::int64_t>(sizeof(float)));
    return begin;
  };
  const auto pack = [&](std::span<const std::int32_t> values, const Shape& shape) {
    const std::int64_t begin = reserve(static_cast<std::int64_t>(values.size()));
    std::memcpy(staging_.data() + begin, values.data(), values.size_bytes());
    return Tensor::contiguous(static_cast<std::byte*>(step_input_->data()) + begin, DType::kI32,
                              shape);
  };
  const auto size = [](std::span<const std::int32_t> values) {
    return static_cast<std::int64_t>(values.size());
  };

  Inputs inputs;
  const std::int64_t n_tokens = size(input.token_ids), n_sequences = size(input.context_tokens);
  MOEBENCH_CHECK(n_tokens > 0 && n_tokens <= limits_.max_tokens);
  MOEBENCH_CHECK(n_sequences > 0 && n_sequences <= limits_.max_sequences);
  MOEBENCH_CHECK(size(input.logit_rows) <= limits_.max_logit_rows);
  const std::int64_t n_blocks = size(input.block_table) / n_sequences;
  MOEBENCH_CHECK(n_blocks <= limits_.max_blocks);
  inputs.n_tokens = n_tokens;
  inputs.token_ids = pack(input.token_ids, {n_tokens});
  inputs.batch.n_sequences = n_sequences;
  inputs.batch.n_tokens = n_tokens;
  inputs.batch.max_context_tokens =
      *std::max_element(input.context_tokens.begin(), input.context_tokens.end());
  inputs.batch.positions = pack(input.positions, {n_tokens});
  inputs.batch.sequence_of_row = pack(input.sequence_of_row, {n_tokens});
  inputs.batch.query_begin = pack(input.query_begin, {n_sequences + 1});
  inputs.batch.context_tokens = pack(input.context_tokens, {n_sequences});
  inputs.batch.block_table = pack(input.block_table, {n_sequences, n_blocks});
  inputs.logit_rows = pack(input.logit_rows, {size(input.logit_rows)});

  // Angles as Hugging Face computes them: everything in F32, the position rounded to F32 first.
  const std::int64_t pairs = config_.rope.dim / 2;
  const std::int64_t begin = reserve(n_tokens * pairs * 2);
  auto* angles = reinterpret_cast<float*>(staging_.data() + begin);
  for (const std::int32_t position : input.positions) {
    for (std::int64_t i = 0; i < pairs; ++i) {
      const float angle = static_cast<float>(position) *
                          config_.rope.inverse_frequency[static_cast<std::size_t>(i)];
      *angles++ = std::cos(angle) * config_.rope.magnitude;
      *angles++ = std::sin(angle) * config_.rope.magnitude;
    }
  }
  inputs.cos_sin = Tensor::contiguous(static_cast<std::byte*>(step_input_->data()) + begin,
                                      DType::kF32, {n_tokens, pairs, 2});
  backend_.upload(step_input_->data(), staging_.data(), static_cast<std::size_t>(end));
  return inputs;
}

Tensor Forward::run(const ForwardInput& input, std::span<const KvLayer> cache) {
  MOEBENCH_CHECK(cache.size() == config_.layers.size());
  Inputs inputs = upload(input);
  const AttentionBatch& batch = inputs.batch;
  const bool decode = batch.n_tokens == batch.n_sequences;
  if (!decode) return enqueue(inputs, cache, input.stop);

  // A decode step may be recorded and replayed (see backend.h): everything that its ops are given
  // is in the key, the rest is in memory.
  const std::int64_t blocks = batch.block_table.shape[1];
  inputs.batch.max_context_tokens = blocks * KvLayer::kBlockTokens;
  const std::int64_t key[] = {serial_, reinterpret_cast<std::int64_t>(cache.front().keys.data),
                              batch.n_sequences, blocks, inputs.logit_rows.shape[0]};
  const Tensor logits = rows(logits_, inputs.logit_rows.shape[0]);
  if (backend_.replay(key)) return logits;
  // A recording has to be whole: it isn't stopped.
  const bool recording = backend_.begin_recording(key);
  const Tensor result = enqueue(inputs, cache, recording ? nullptr : input.stop);
  backend_.end_recording();
  return result;
}

Tensor Forward::enqueue(const Inputs& inputs, std::span<const KvLayer> cache,
                        const std::atomic<bool>* stop) {
  const std::int64_t n = inputs.n_tokens;
  const Tensor hidden = rows(hidden_, n), normed = rows(normed_, n);

  backend_.embed(hidden, *weights_.embedding, inputs.token_ids);
  std::int64_t moe_layer = 0;
  for (std::size_t i = 0; i < config_.layers.size(); ++i) {
    if (stop != nullptr && stop->load(std::memory_order_relaxed)) return Tensor{};
    const LayerConfig& layer = config_.layers[i];
    const LayerWeights& weights = weights_.layers[i];
    backend_.rms_norm(normed, hidden, *weights.attention.norm, config_.rms_epsilon);
    if (layer.attention.kind == AttentionKind::kGrouped)
      grouped_attention(layer.attention, weights.attention, cache[i], inputs);
    else
      latent_attention(layer.attention, weights.attention, cache[i], inputs);
    backend_.rms_norm(normed, hidden, *weights.mlp_norm, config_.rms_epsilon);
    if (layer.moe)
      mixture(*layer.moe, *weights.moe, moe_layer++, n);
    else
      backend_.gated_mlp(hidden, normed, *weights.dense, true, nullptr);
  }

  const std::int64_t n_logits = inputs.logit_rows.shape[0];
  const Tensor logits = rows(logits_, n_logits);
  if (n_logits == 0) return logits;
  const Tensor last_hidden = rows(last_hidden_, n_logits);
  backend_.gather_rows(last_hidden, hidden, inputs.logit_rows);
  backend_.rms_norm(last_hidden, last_hidden, *weights_.output_norm, config_.rms_epsilon);
  const MatmulTarget head{weights_.lm_head.get(), logits};
  backend_.matmul(last_hidden, {&head, 1});
  return logits;
}

void Forward::grouped_attention(const AttentionConfig& config, const AttentionWeights& weights,
                                const KvLayer& cache, const Inputs& inputs) {
  const std::int64_t n = inputs.n_tokens, dim = config.head_dim, rope_dim = config_.rope.dim;
  const Tensor q = matrix(q_, n, config.n_heads * dim);
  const Tensor k = matrix(k_, n, config.n_kv_heads * dim);
  const Tensor v = matrix(v_, n, config.n_kv_heads * dim);
  const MatmulTarget projections[] = {{weights.q.get(), q, weights.q_bias.get()},
                                      {weights.k.get(), k, weights.k_bias.get()},
                                      {weights.v.get(), v, weights.v_bias.get()}};
  backend_.matmul(rows(normed_, n), projections);

  const Tensor q_heads = heads(q, config.n_heads, dim, 0, dim);
  const Tensor k_heads = heads(k, config.n_kv_heads, dim, 0, dim);
  if (config.qk_norm == QkNorm::kPerHead) {
    backend_.rms_norm(q_heads, q_heads, *weights.q_norm, config_.rms_epsilon);
    backend_.rms_norm(k_heads, k_heads, *weights.k_norm, config_.rms_epsilon);
  } else if (config.qk_norm == QkNorm::kFullWidth) {
    backend_.rms_norm(q, q, *weights.q_norm, config_.rms_epsilon);
    backend_.rms_norm(k, k, *weights.k_norm, config_.rms_epsilon);
  }
  backend_.rope(heads(q, config.n_heads, dim, 0, rope_dim), inputs.cos_sin, config_.rope.pairing);
  backend_.rope(heads(k, config.n_kv_heads, dim, 0, rope_dim), inputs.cos_sin,
                config_.rope.pairing);

  backend_.cache_write(cache, k_heads, heads(v, config.n_kv_heads, dim, 0, dim), inputs.batch);
  const Tensor mixed = matrix(mixed_, n, config.n_heads * dim);
  backend_.attention(heads(mixed, config.n_heads, dim, 0, dim), q_heads, cache, inputs.batch,
                     {config.scale, config.sliding_window_tokens});
  const MatmulTarget output{weights.o.get(), rows(hidden_, n), weights.o_bias.get(), true};
  backend_.matmul(mixed, {&output, 1});
}

// Multi-head latent attention (arXiv 2405.04434, section 2.1) with the up-projections absorbed:
// queries are taken to the latent space and attention runs over the cached latents as one key head.
// Every token goes this way, prefill too, so that no result depends on how a prompt was cut.
void Forward::latent_attention(const AttentionConfig& config, const AttentionWeights& weights,
                               const KvLayer& cache, const Inputs& inputs) {
  const std::int64_t n = inputs.n_tokens, n_heads = config.n_heads;
  const std::int64_t nope = config.qk_nope_dim, rope_dim = config.qk_rope_dim;
  const std::int64_t rank = config.kv_lora_rank, latent_width = rank + rope_dim;
  const Tensor normed = rows(normed_, n);
  const Tensor q = matrix(q_, n, n_heads * (nope + rope_dim));
  const Tensor latent = matrix(latent_, n, latent_width);
  const MatmulTarget to_latent{weights.kv_a.get(), latent, weights.kv_a_bias.get()};
  if (config.q_lora_rank > 0) {
    const Tensor low_rank = matrix(q_low_rank_, n, config.q_lora_rank);
    const MatmulTarget first[] = {{weights.q_a.get(), low_rank, weights.q_a_bias.get()}, to_latent};
    backend_.matmul(normed, first);
    backend_.rms_norm(low_rank, low_rank, *weights.q_a_norm, config.latent_norm_epsilon);
    const MatmulTarget second{weights.q_b.get(), q};
    backend_.matmul(low_rank, {&second, 1});
  } else {
    const MatmulTarget both[] = {{weights.q.get(), q, weights.q_bias.get()}, to_latent};
    backend_.matmul(normed, both);
  }

  backend_.rms_norm(columns(latent, rank), columns(latent, rank), *weights.kv_a_norm,
                    config.latent_norm_epsilon);
  const Tensor latent_head = heads(latent, 1, latent_width, 0, latent_width);
  backend_.rope(heads(latent, 1, latent_width, rank, rope_dim), inputs.cos_sin,
                config_.rope.pairing);
  backend_.cache_write(cache, latent_head, Tensor{}, inputs.batch);

  const Tensor q_latent = matrix(q_latent_, n, n_heads * latent_width);
  backend_.head_matmul(heads(q_latent, n_heads, latent_width, 0, rank),
                       heads(q, n_heads, nope + rope_dim, 0, nope), *weights.key_absorb);
  const Tensor q_turned = heads(q_latent, n_heads, latent_width, rank, rope_dim);
  backend_.gather_rows(merge_heads(q_turned),
                       merge_heads(heads(q, n_heads, nope + rope_dim, nope, rope_dim)),
                       rows(counting_, n * n_heads));
  backend_.rope(q_turned, inputs.cos_sin, config_.rope.pairing);

  const Tensor mixed_latent =
      heads(matrix(mixed_latent_, n, n_heads * rank), n_heads, rank, 0, rank);
  backend_.attention(mixed_latent, heads(q_latent, n_heads, latent_width, 0, latent_width), cache,
                     inputs.batch, {config.scale, config.sliding_window_tokens});
  const Tensor mixed = matrix(mixed_, n, n_heads * config.value_dim);
  backend_.head_matmul(heads(mixed, n_heads, config.value_dim, 0, config.value_dim), mixed_latent,
                       *weights.value_up);
  const MatmulTarget output{weights.o.get(), rows(hidden_, n), weights.o_bias.get(), true};
  backend_.matmul(mixed, {&output, 1});
}

void Forward::mixture(const MoeConfig& config, const MoeWeights& weights, std::int64_t moe_layer,
                      std::int64_t n_tokens) {
  const Tensor hidden = rows(hidden_, n_tokens), normed = rows(normed_, n_tokens);
  const Tensor logits = matrix(router_logits_, n_tokens, config.router.n_experts);
  const Tensor ids = matrix(expert_ids_, n_tokens, config.router.top_k);
  const Tensor expert_weights = matrix(expert_weights_, n_tokens, config.router.top_k);
  const Tensor gate_logit = rows(gate_logit_, n_tokens);
  const MatmulTarget projections[] = {{weights.router.get(), logits},
                                      {weights.shared_gate.get(), gate_logit}};
  backend_.matmul(normed, {projections, weights.shared_gate != nullptr ? 2u : 1u});

  Tensor counts = expert_counts_;
  counts.data = static_cast<std::int64_t*>(counts.data) + moe_layer * counts.strides[0];
  counts.shape = {config.router.n_experts};
  counts.strides = {1, 0, 0, 0};
  backend_.route(ids, expert_weights, logits, weights.selection_bias.get(), config.router, &counts);
  backend_.experts(hidden, normed, *weights.experts, ids, expert_weights);
  if (weights.shared != nullptr)
    backend_.gated_mlp(hidden, normed, *weights.shared, true,
                       weights.shared_gate != nullptr ? &gate_logit : nullptr);
}

}  // namespace moebench
