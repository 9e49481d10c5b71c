#pragma once

#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "tests/conformance/op_cases.h"

namespace moebench::conformance {

struct BackendCase {
  std::string name;
  std::function<std::unique_ptr<Backend>(int threads)> make;
  /// Called before a test. `thorough`: it runs its op once, so slow checks are welcome.
  std::function<void(bool thorough)> prepare = [](bool) {};
  /// Of the ops, those whose names begin so: the others are another backend's too.
  std::string only = {};

  bool runs(const OpCase& op) const { return op.name.starts_with(only); }
};

/// The backends of this program: host_backends.cpp, cuda_backends.cpp, ...
std::vector<BackendCase> backends();

inline std::vector<int> all_rows() {
  std::vector<int> rows(kRows);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

}  // namespace moebench::conformance
