#pragma once

#include <cstdint>
#include <optional>

#include "engine/backends/backend.h"
#include "engine/model/model_source.h"

namespace moebench {

/// What load_weights would take of a device's memory, from the files' headers alone: nothing is
/// read or allocated. A few percent above the truth, as small vectors count as padded.
/// `host_experts`: routed experts don't count.
std::int64_t weight_bytes_on(const Backend& backend, const ModelSource& source,
                             std::optional<DType> requantize, bool host_experts = false);

/// Throws Error(kDevice) with the figures when weights, workspace and the least useful cache (one
/// page) don't fit into `free_bytes`.
void check_device_memory(const Backend& backend, std::int64_t free_bytes, std::int64_t weight_bytes,
                         std::int64_t workspace_bytes, std::int64_t page_bytes);

}  // namespace moebench
