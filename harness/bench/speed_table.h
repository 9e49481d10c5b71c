#pragma once

#include <string>
#include <vector>

#include "harness/bench/speed_grid.h"

namespace moebench {

enum class TableFormat { kMarkdown, kCsv, kJson, kJsonLines };

/// "md", "csv", "json", "jsonl"; throws Error(kUsage) for anything else.
TableFormat parse_table_format(const std::string& name);

/// The whole table. Every row carries the model, its weights and the engine, so that rows of
/// several tables can be put together; JSON also holds each repetition.
std::string speed_table(const ClientInfo& client, const std::vector<SpeedRow>& rows,
                        TableFormat format);

}  // namespace moebench
