#pragma once

#include <memory>

#include "engine/backends/backend.h"

namespace moebench {

/// `device`, but for routed experts (prepare_experts of more than one): those stay in the host's
/// memory and run on `host`, for models whose experts don't fit the device. A step then waits for
/// the device once a mixture layer, rows go over the bus and come back, and steps with such experts
/// are not recorded. The bits of a row still depend on that row alone, as both backends keep to it;
/// they are those of `host`'s experts.
std::unique_ptr<Backend> with_host_experts(std::unique_ptr<Backend> device,
                                           std::unique_ptr<Backend> host);

}  // namespace moebench
