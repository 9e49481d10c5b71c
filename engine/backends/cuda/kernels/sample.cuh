#pragma once

#include "engine/backends/backend.h"
#include "engine/backends/cuda/device_context.h"

namespace moebench::cuda {

/// Backend::sample, by the rule of engine/backends/sampling.h, one block a row; rows (n) SampleRow
/// in device memory. The host walks along sorted candidates; here the candidate at which such a
/// walk stops is found by bisection over the weights' bits, with sums that have one order each. A
/// draw within a rounding of a candidate's edge (1e-16 of the sum, and expf's last bit) may fall to
/// its neighbour.
void sample(DeviceContext& device, const Tensor& token_ids, const Tensor& logits,
            const SampleRow* rows);

}  // namespace moebench::cuda
