#include "reports/cost/projection.h"

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"

namespace moebench {
namespace {

double moe_layers(const ModelShape& m) { return m.layers - m.dense_layers; }

// Sequences a GPU that fit beside the weights.
double memory_batch(const ModelShape& shape, const Device& device, const ServingPlan& plan) {
  const ShapeCounts counts = count_shape(shape);
  const double weights =
      (counts.dense_parameters + shape.vocab * shape.hidden +
       moe_layers(shape) * shape.experts * counts.expert_parameters / plan.gpus) *
      plan.weight_bytes;
  const double left = device.memory_bytes * plan.free_memory_share - weights;
  const double sequence = counts.kv_elements_per_token * plan.kv_bytes * plan.context_tokens;
  if (left < sequence)
    throw Error(ErrorCode::kUsage,
                shape.id + " does not fit " + std::to_string(static_cast<int>(plan.gpus)) + " x " +
                    device.name,
                "give more GPUs, a shorter context or fewer bytes a weight");
  return std::floor(left / sequence);
}

double peak_flops(const Device& device, const ServingPlan& plan) {
  // FP8 products need FP8 weights and a device that has them.
  return plan.weight_bytes <= 1 && device.fp8_flops ? *device.fp8_flops : device.bf16_flops;
}

// Bytes that one token sends over the links of its GPU, over all layers: to its experts and back.
double link_seconds(const ModelShape& shape, const Device& device, const ServingPlan& plan,
                    double tokens_per_gpu) {
  if (plan.gpus <= 1 || shape.experts == 0 || !device.link_bytes_per_second) return 0;
  const double bytes = moe_layers(shape) * shape.experts_per_token * shape.hidden *
                       (plan.activation_bytes + 2.0) * tokens_per_gpu;
  // Experts are spread evenly: this share of the traffic stays on the GPU, in the node, or leaves.
  const double in_node = std::min(plan.gpus, plan.gpus_per_node);
  const double node_share = (in_node - 1) / plan.gpus, away_share = 1 - in_node / plan.gpus;
  double seconds = bytes * node_share / *device.link_bytes_per_second;
  if (away_share > 0) {
    // A token goes to a node once, at most four of them (DeepSeek's node-limited routing), and is
    // handed on over the node's own links.
    const double copies = std::min(shape.experts_per_token, 4.0) / shape.experts_per_token;
    const double network =
        device.network_bytes_per_second.value_or(*device.link_bytes_per_second / 8);
    seconds = std::max(seconds, bytes * away_share * copies / network);
  }
  return seconds;
}

void finish(PhaseRoofline& r) {
  r.step_seconds = std::max({r.memory_seconds, r.compute_seconds, r.link_seconds});
  r.bound = r.step_seconds == r.memory_seconds    ? "memory"
            : r.step_seconds == r.compute_seconds ? "compute"
                                                  : "links";
  r.tokens_per_second_per_gpu = r.batch_per_gpu / r.step_seconds;
}

}  // namespace

ShapeCounts count_shape(const ModelShape& m) {
  ShapeCounts counts;
  double attention = 0;  // parameters of one layer
  double kv = 0, flops = 0;
  if (m.latent_attention) {
    const double q_in = m.q_rank > 0 ? m.hidden * m.q_rank : 0;
    const double q_out = (m.q_rank > 0 ? m.q_rank : m.hidden) * m.heads * (m.nope_dim + m.rope_dim);
    attention = q_in + q_out + m.hidden * (m.kv_rank + m.rope_dim) +
                m.kv_rank * m.heads * (m.nope_dim + m.value_dim) + m.heads * m.value_dim * m.hidden;
    kv = m.kv_rank + m.rope_dim;
    // Absorbed form: scores over rank + rope, values over rank.
    flops = 2 * m.heads * (m.kv_rank + m.rope_dim) + 2 * m.heads * m.kv_rank;
  } else {
    attention = m.hidden * m.head_dim * (2 * m.heads + 2 * m.kv_heads);
    kv = 2 * m.kv_heads * m.head_dim;
    flops = 4 * m.heads * m.head_dim;
  }
  const double moe = moe_layers(m);
  counts.expert_parameters = 3 * m.hidden * m.expert_width;
  counts.dense_parameters =
      m.layers * attention + m.dense_layers * 3 * m.hidden * m.dense_width +
      moe * (m.shared_experts * counts.expert_parameters + m.hidden * m.experts) +
      m.vocab * m.hidden;  // the head; the input embedding is only looked up
  counts.total_parameters =
      counts.dense_parameters + moe * m.experts * counts.expert_parameters + m.vocab * m.hidden;
  counts.active_parameters = counts.dense_parameters +
                             moe * m.experts_per_token * counts.expert_parameters +
                             m.vocab * m.hidden;
  counts.kv_elements_per_token = m.layers * kv;
  counts.attention_flops_per_context_token = m.layers * flops;
  return counts;
}

double expected_distinct_experts(double experts, double per_token, double tokens) {
  if (experts <= 0) return 0;
  return experts * (1 - std::pow(1 - per_token / experts, tokens));
}

PhaseRoofline decode_roofline(const ModelShape& shape, const Device& device,
                              const ServingPlan& plan) {
  const ShapeCounts counts = count_shape(shape);
  PhaseRoofline r;
  r.batch_per_gpu = plan.batch_per_gpu > 0 ? plan.batch_per_gpu : memory_batch(shape, device, plan);
  r.distinct_experts = expected_distinct_experts(shape.experts, shape.experts_per_token,
                                                 r.batch_per_gpu * plan.gpus);
  const double weight_bytes = (counts.dense_parameters + moe_layers(shape) * r.distinct_experts /
                                                             plan.gpus * counts.expert_parameters) *
                              plan.weight_bytes;
  const double kv_bytes =
      r.batch_per_gpu * plan.context_tokens * counts.kv_elements_per_token * plan.kv_bytes;
  r.memory_seconds = (weight_bytes + kv_bytes) / device.bytes_per_second;
  const double products = 2 * (counts.active_parameters - shape.vocab * shape.hidden);
  // Attention runs on BF16 values even where the weights are FP8.
  r.compute_seconds = r.batch_per_gpu * (products / peak_flops(device, plan) +
                                         counts.attention_flops_per_context_token *
                                             plan.context_tokens / device.bf16_flops);
  r.link_seconds = link_seconds(shape, device, plan, r.batch_per_gpu);
  finish(r);
  return r;
}

PhaseRoofline prefill_roofline(const ModelShape& shape, const Device& device,
                               const ServingPlan& plan) {
  const ShapeCounts counts = count_shape(shape);
  PhaseRoofline r;
  r.batch_per_gpu = 8192;  // tokens of a step; enough for the weights' reading to vanish
  r.distinct_experts = expected_distinct_experts(shape.experts, shape.experts_per_token,
                                                 r.batch_per_gpu * plan.gpus);
  const double weight_bytes = (counts.dense_parameters + moe_layers(shape) * r.distinct_experts /
                                                             plan.gpus * counts.expert_parameters) *
                              plan.weight_bytes;
  r.memory_seconds = weight_bytes / device.bytes_per_second;
  const double products = 2 * (counts.active_parameters - shape.vocab * shape.hidden);
  // Not absorbed: scores and values per head at their own widths.
  const double pair_flops =
      shape.latent_attention
          ? shape.layers * 2 * shape.heads * (shape.nope_dim + shape.rope_dim + shape.value_dim)
          : counts.attention_flops_per_context_token;
  r.compute_seconds = r.batch_per_gpu * (products / peak_flops(device, plan) +
                                         pair_flops * plan.context_tokens / device.bf16_flops);
  r.link_seconds = link_seconds(shape, device, plan, r.batch_per_gpu);
  finish(r);
  return r;
}

FittedEfficiency fit_efficiency(const Catalog& catalog) {
  FittedEfficiency fit;
  const auto roofline = [&](const ThroughputAnchor& a) {
    ServingPlan plan;
    plan.gpus = a.gpus;
    plan.batch_per_gpu = a.batch_per_gpu;
    plan.context_tokens = a.context_tokens;
    const ModelShape& shape = catalog.model(a.model);
    const Device& device = catalog.device(a.device);
    return a.phase == "prefill" ? prefill_roofline(shape, device, plan)
                                : decode_roofline(shape, device, plan);
  };
  double logs[2] = {0, 0}, counts[2] = {0, 0};
  for (const ThroughputAnchor& a : catalog.anchors) {
    fit.as_of = std::max(fit.as_of, a.as_of);
    if (a.role != "fit") continue;
    const std::size_t phase = a.phase == "prefill" ? 0 : 1;
    logs[phase] += std::log(a.tokens_per_second_per_gpu / roofline(a).tokens_per_second_per_gpu);
    ++counts[phase];
  }
  if (counts[0] == 0 || counts[1] == 0)
    throw Error(ErrorCode::kConfiguration,
                "published.json: no anchor to fit the efficiency of prefill or decode");
  fit.prefill = std::exp(logs[0] / counts[0]);
  fit.decode = std::exp(logs[1] / counts[1]);
  for (const ThroughputAnchor& a : catalog.anchors)
    fit.anchors.push_back({a.id, a.phase, a.role, a.source, a.tokens_per_second_per_gpu,
                           roofline(a).tokens_per_second_per_gpu *
                               (a.phase == "prefill" ? fit.prefill : fit.decode)});
  return fit;
}

Projection project(const Catalog& catalog, const ModelShape& shape, const Device& device,
                   const ServingPlan& plan) {
  if (!(plan.gpus >= 1 && plan.context_tokens > 0 && plan.batch_per_gpu >= 0))
    throw Error(ErrorCode::kUsage, "GPUs and context must be at least 1, a batch not negative");
  memory_batch(shape, device, plan);  // throws where the weights don't fit
  Projection p;
  p.efficiency = fit_efficiency(catalog);
  p.decode = decode_roofline(shape, device, plan);
  ServingPlan prompts = plan;
  prompts.context_tokens = plan.context_tokens / 2;  // a prompt's tokens see half of it on average
  p.prefill = prefill_roofline(shape, device, prompts);
  p.prefill_tokens_per_second_per_gpu = p.prefill.tokens_per_second_per_gpu * p.efficiency.prefill;
  p.decode_tokens_per_second_per_gpu = p.decode.tokens_per_second_per_gpu * p.efficiency.decode;
  p.interactivity_tokens_per_second = p.decode_tokens_per_second_per_gpu / p.decode.batch_per_gpu;
  return p;
}

}  // namespace moebench
