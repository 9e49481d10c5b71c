#pragma once

#include <vector>

namespace moebench {

/// Holm's step-down adjusted p-values (Holm 1979, Scand. J. Stat. 6:65), in the order given:
/// compare each with alpha to keep the chance of any false finding among them below alpha.
std::vector<double> holm_adjusted(const std::vector<double>& p_values);

}  // namespace moebench
