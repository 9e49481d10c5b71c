#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moebench {

// Facts that others state, each with its source, its date and its mark. They are compiled into the
// program from the JSON files of this folder.

/// Where a figure comes from, and how well it is known.
struct Provenanced {
  std::string source;
  std::string as_of;  ///< YYYY, YYYY-MM or YYYY-MM-DD; never empty
  std::string mark;  ///< "V" read in the primary text, "S" secondary page, "R" recalled, unverified
};

struct Device : Provenanced {
  std::string id, name, note;
  double memory_bytes = 0, bytes_per_second = 0;
  double bf16_flops = 0;            ///< dense peak
  std::optional<double> fp8_flops;  ///< dense peak; absent: no FP8
  double watts = 0;
  std::optional<double> link_bytes_per_second;     ///< to the node's other GPUs, one direction
  std::optional<double> network_bytes_per_second;  ///< to other nodes, one direction
  std::map<std::string, std::string> field_marks;  ///< where a field's mark differs
};

struct ApiPrice : Provenanced {
  std::string model, provider, valid;
  std::optional<double> cached_input_usd_per_million;
  double input_usd_per_million = 0, output_usd_per_million = 0;
  std::string year() const { return as_of.substr(0, 4); }
};

struct GpuHourPrice : Provenanced {
  std::string device, kind;  ///< "on-demand", "rental", "hyperscaler-owned", ...
  double usd_per_gpu_hour = 0;
  std::optional<double> all_in_kw;
};

struct PublishedAccuracy : Provenanced {
  std::string model, task, protocol;
  double accuracy = 0;   ///< 0 to 1
  double questions = 0;  ///< of the task
};

struct ThroughputAnchor : Provenanced {
  std::string id, model, device, phase, role, note;  ///< role: "fit" or "held-out"
  double gpus = 0, tokens_per_second_per_gpu = 0;
  double batch_per_gpu = 0;  ///< 0: what the memory holds
  double context_tokens = 0;
};

/// DeepSeek's published day of serving V3 and R1.
struct ServingDay : Provenanced {
  double nodes = 0, gpus_per_node = 0, usd_per_gpu_hour = 0;
  double input_tokens = 0, cached_input_tokens = 0, output_tokens = 0;
  double input_tokens_per_second_per_node = 0, output_tokens_per_second_per_node = 0;
  std::string price_model;
  double stated_cost_usd = 0, stated_income_usd = 0, stated_margin_percent = 0;
};

/// What a projection needs of a model.
struct ModelShape : Provenanced {
  std::string id;
  std::vector<std::string> aliases;
  double layers = 0, dense_layers = 0, hidden = 0, vocab = 0, heads = 0;
  bool latent_attention = false;
  double q_rank = 0, kv_rank = 0, rope_dim = 0, nope_dim = 0, value_dim = 0;  // latent
  double kv_heads = 0, head_dim = 0;                                          // grouped
  double experts = 0, experts_per_token = 0, shared_experts = 0, expert_width = 0;
  double dense_width = 0;
};

struct Catalog {
  std::vector<Device> devices;
  std::vector<ApiPrice> api_prices;
  std::vector<GpuHourPrice> gpu_hours;
  std::vector<PublishedAccuracy> accuracies;
  std::vector<ThroughputAnchor> anchors;
  ServingDay deepseek_day;
  std::vector<ModelShape> models;

  /// Throw Error(kUsage) that lists what there is.
  const Device& device(const std::string& id) const;
  const ModelShape& model(const std::string& id_or_alias) const;
  /// The newest price of that kind (none given: the newest at which one can rent it, else any);
  /// null where there is none.
  const GpuHourPrice* gpu_hour(const std::string& device, const std::string& kind = {}) const;
  const ApiPrice* api_price(const std::string& model) const;  ///< null where there is none
  const PublishedAccuracy* accuracy(const std::string& model, const std::string& task) const;
};

/// The catalogue compiled into the program.
const Catalog& built_in_catalog();

/// From JSON texts. Throws Error(kConfiguration) that names the entry and the key: a figure without
/// its source, its date or its mark is one such error, an unknown key another.
Catalog parse_catalog(std::string_view devices, std::string_view prices, std::string_view published,
                      std::string_view models);

/// A catalogue file by name ("claims/deepseek-r2.json"), empty where there is none.
std::string_view catalog_file(std::string_view name);

/// From a Hugging Face config.json (DeepSeek, Mixtral, Qwen-MoE, OLMoE, Llama and Qwen keys).
/// Throws Error(kBadModel) that names the missing key.
ModelShape shape_from_config(std::string_view config_json, const std::string& where);

}  // namespace moebench
