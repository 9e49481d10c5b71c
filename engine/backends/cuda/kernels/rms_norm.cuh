#pragma once

#include "engine/backends/cuda/device_context.h"

namespace moebench::cuda {

/// Backend::rms_norm; weight (width) F32 in device memory.
void rms_norm(DeviceContext& device, const Tensor& out, const Tensor& x, const float* weight,
              float epsilon);

}  // namespace moebench::cuda
