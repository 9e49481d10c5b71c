#include <algorithm>
#include <cmath>
#include <numeric>

#include "reports/render/cells.h"
#include "reports/run_report/sections.h"

namespace moebench {

Figure expert_load_figure(const RunRecord& run, const std::string& id) {
  Figure figure;
  figure.id = id + "-plot";
  figure.caption = "Tokens routed to each expert, by layer: " + run_label(run);
  HeatMap map;
  map.row_title = "MoE layer";
  map.column_title = "expert";
  map.value_title = "tokens, relative to an even spread";
  Table& table = figure.table;
  table.id = id;
  table.caption = "Balance of the experts' load";
  table.columns = {text_column("layer", "MoE layer"),
                   number_column("tokens", "routed tokens"),
                   number_column("busiest", "busiest expert", "x even"),
                   number_column("idle", "experts unused"),
                   number_column("effective_experts", "effective experts"),
                   number_column("cv", "variation")};
  for (std::size_t layer = 0; layer < run.expert_load.size(); ++layer) {
    const auto& load = run.expert_load[layer];
    const double total = std::accumulate(load.begin(), load.end(), 0.0);
    const double count = static_cast<double>(load.size()), mean = count > 0 ? total / count : 0;
    double highest = 0, entropy = 0, variance = 0;
    std::int64_t idle = 0;
    std::vector<double> relative;
    for (const std::int64_t tokens : load) {
      const double share = total > 0 ? static_cast<double>(tokens) / total : 0;
      relative.push_back(mean > 0 ? static_cast<double>(tokens) / mean : 0);
      highest = std::max(highest, relative.back());
      if (share > 0) entropy -= share * std::log(share);
      variance += (relative.back() - 1) * (relative.back() - 1) / count;
      idle += tokens == 0;
    }
    map.row_labels.push_back(std::to_string(layer));
    map.values.push_back(std::move(relative));
    table.rows.push_back({text_cell("layer " + std::to_string(layer)),
                          count_cell(static_cast<std::int64_t>(total)), number_cell(highest),
                          count_cell(idle), number_cell(total > 0 ? std::exp(entropy) : 0),
                          number_cell(std::sqrt(variance))});
  }
  table.note =
      "Effective experts: the exponential of the load's entropy, the number of evenly used experts "
      "that would be as spread out. Variation: standard deviation over mean of the experts' load.";
  figure.plot = std::move(map);
  return figure;
}

Section experts_section(const LoadedRun& run) {
  Section section{"experts", "Experts", {}};
  if (!run.run.expert_load.empty())
    section.blocks.push_back(expert_load_figure(run.run, "expert-load"));
  return section;
}

}  // namespace moebench
