#pragma once

namespace moebench {

/// Two-sided, closed. Either end may be infinite.
struct Interval {
  double low = 0, high = 0;
  bool contains(double value) const { return low <= value && value <= high; }
};

inline constexpr double kDefaultConfidence = 0.95;

}  // namespace moebench
