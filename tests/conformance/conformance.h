#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <tuple>
#include <vector>

#include "tests/conformance/op_cases.h"

// One suite for every backend: each op against the reference within a tolerance
// (conformance_test.cpp), and its rows bit by bit whatever the batch and the threads
// (rows_test.cpp). A program of the suite names its backends in one file.

namespace moebench::conformance {

struct BackendCase {
  std::string name;
  std::function<std::unique_ptr<Backend>(int threads)> make;
};

/// The backends of this program: host_backends.cpp, cuda_backends.cpp, ...
std::vector<BackendCase> backends();

inline std::vector<int> all_rows() {
  std::vector<int> rows(kRows);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

class BackendTest : public testing::TestWithParam<std::tuple<BackendCase, OpCase>> {
 protected:
  std::unique_ptr<Backend> make(int threads) const { return std::get<0>(GetParam()).make(threads); }
  const OpCase& op() const { return std::get<1>(GetParam()); }
};

inline std::string case_name(const testing::TestParamInfo<std::tuple<BackendCase, OpCase>>& info) {
  return std::get<0>(info.param).name + "_" + std::get<1>(info.param).name;
}

}  // namespace moebench::conformance
