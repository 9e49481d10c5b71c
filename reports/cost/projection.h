#pragma once

#include <string>
#include <vector>

#include "reports/catalog/catalog.h"

namespace moebench {

// A roofline for machines that are not at hand. Everything here is projected, never measured.

/// Parameters and bytes that follow from a model's shape.
struct ShapeCounts {
  double total_parameters = 0, active_parameters = 0;  ///< embeddings and head included
  double dense_parameters = 0;       ///< all but the routed experts and the input embedding
  double expert_parameters = 0;      ///< of one routed expert
  double kv_elements_per_token = 0;  ///< over all layers
  double attention_flops_per_context_token = 0;  ///< decoding one token, over all layers
};
ShapeCounts count_shape(const ModelShape& shape);

/// Expected number of distinct experts of a layer that `tokens` tokens reach, each choosing
/// `per_token` of `experts` at random: E (1 - (1 - k/E)^tokens).
double expected_distinct_experts(double experts, double per_token, double tokens);

struct ServingPlan {
  double gpus = 8;  ///< that serve together, as one unit
  double gpus_per_node = 8;
  double batch_per_gpu = 0;      ///< decode: sequences; 0: as many as the memory holds
  double context_tokens = 4096;  ///< mean tokens attended to (prefill: mean position)
  double weight_bytes = 1, kv_bytes = 2, activation_bytes = 1;  ///< per element
  double free_memory_share = 0.9;  ///< of the memory, for weights and KV cache
};

/// One phase at its roofline: the slowest of three that overlap fully.
struct PhaseRoofline {
  double batch_per_gpu = 0;  ///< tokens in flight a GPU
  double memory_seconds = 0, compute_seconds = 0, link_seconds = 0;
  double step_seconds = 0;               ///< the largest of them
  double tokens_per_second_per_gpu = 0;  ///< at the roofline
  std::string bound;                     ///< "memory", "compute" or "links"
  double distinct_experts = 0;           ///< expected, a layer and step, of the whole unit
};
/// Attention is data-parallel and expert layers are expert-parallel over the unit: every GPU reads
/// the dense weights and its share of the experts that the unit's batch reaches; tokens travel to
/// their experts (one byte an element) and back (two). Throws Error(kUsage) when the weights don't
/// fit.
PhaseRoofline decode_roofline(const ModelShape& shape, const Device& device,
                              const ServingPlan& plan);
PhaseRoofline prefill_roofline(const ModelShape& shape, const Device& device,
                               const ServingPlan& plan);

/// What real engines reach of the roofline: the geometric mean over the anchors to fit, and how far
/// the held-out ones are off with it.
struct FittedEfficiency {
  double prefill = 0, decode = 0;
  struct Anchor {
    std::string id, phase, role, source;
    double measured = 0, projected = 0;  ///< tokens/s a GPU; projected with the fit
    double error() const { return projected / measured - 1; }
  };
  std::vector<Anchor> anchors;
  std::string as_of;  ///< the newest anchor's date
};
FittedEfficiency fit_efficiency(const Catalog& catalog);

struct Projection {
  PhaseRoofline prefill, decode;
  double prefill_tokens_per_second_per_gpu = 0, decode_tokens_per_second_per_gpu = 0;  ///< fitted
  double interactivity_tokens_per_second = 0;  ///< of one user while decoding
  FittedEfficiency efficiency;
};
Projection project(const Catalog& catalog, const ModelShape& shape, const Device& device,
                   const ServingPlan& plan);

}  // namespace moebench
