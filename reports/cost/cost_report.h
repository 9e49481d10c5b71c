#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/catalog/catalog.h"
#include "reports/cost/projection.h"
#include "reports/cost/token_cost.h"
#include "reports/record/record_files.h"
#include "reports/render/document.h"

namespace moebench {

struct CostQuestion {
  std::vector<LoadedRun> runs;              ///< measured ones to put on the sheet
  std::optional<double> usd_per_hour = {};  ///< of the runs' machine
  std::optional<OwnedMachine> owned = {};   ///< instead: the runs' machine is bought
  Workload workload{50e6, 20e6, 0};         ///< a month
  std::optional<ModelShape> project = {};   ///< a model to project...
  std::string gpu;                          ///< ...on this device of the catalogue
  /// The runs' machine is priced as plan.gpus devices `gpu` (with no model to project).
  bool gpu_prices_runs = false;
  ServingPlan plan;
  std::optional<double> usd_per_gpu_hour = {};  ///< of that device; else the catalogue's newest
};

/// The sheet: the runs' tokens, a projection if asked for, the APIs' prices (a table a year), the
/// monthly workload on each and where a machine of one's own breaks even, and the check that
/// DeepSeek's published figures come out of the catalogue.
Document build_cost_report(const Catalog& catalog, const CostQuestion& question);

}  // namespace moebench
