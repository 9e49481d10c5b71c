#pragma once

#include <memory>

#include "engine/backends/backend.h"

namespace moebench {

/// The oracle: every op as plain scalar loops over weights dequantised to F32, on the caller's
/// thread, at once. Takes every DType that to_f32 takes (see engine/tensor/convert.h). Not for
/// speed.
std::unique_ptr<Backend> make_reference_backend();

}  // namespace moebench
