#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/backends/backend.h"

namespace moebench::conformance {

/// One op on fixed inputs of kRows rows. Runs it for the rows named (any order, each at most once)
/// and returns their results, row after row; an op's weights and inputs are the same on every call.
using Op = std::function<std::vector<float>(Backend& backend, std::span<const int> rows)>;
inline constexpr int kRows = 64;

struct OpCase {
  std::string name;
  Op op;
  /// Largest |error| / |reference| (Euclidean norms of a row) allowed; 0: bits must be equal.
  double tolerance;
};

/// Every op of Backend in every weight type, at shapes that are no multiples of any tile.
std::vector<OpCase> op_cases();

}  // namespace moebench::conformance
