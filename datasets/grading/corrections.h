#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moebench {

/// What the answer should be where a published gold is incomplete or wrong (corrections.json): any
/// one of the values returned. Empty for all other problems, and where `target` is right already.
/// Keyed by the problem's text, so it serves every form of the data.
std::vector<std::string> corrected_targets(std::string_view question, std::string_view target);

}  // namespace moebench
