#pragma once

#include <optional>
#include <string_view>

namespace moebench {

/// "cuda:2" -> 2; nothing for what isn't a CUDA device's name.
std::optional<int> cuda_index(std::string_view device);

}  // namespace moebench
