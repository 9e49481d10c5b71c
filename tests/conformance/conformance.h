#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "tests/conformance/backend_case.h"

// One suite for every backend: each op against the reference within a tolerance
// (conformance_test.cpp), and its rows bit by bit whatever the batch and the threads
// (rows_test.cpp). A program of the suite names its backends in one file.

namespace moebench::conformance {

class BackendTest : public testing::TestWithParam<std::tuple<BackendCase, OpCase>> {
 protected:
  std::unique_ptr<Backend> make(int threads) const { return std::get<0>(GetParam()).make(threads); }
  const OpCase& op() const { return std::get<1>(GetParam()); }
};

/// Each backend's ops.
inline std::vector<std::tuple<BackendCase, OpCase>> cases() {
  std::vector<std::tuple<BackendCase, OpCase>> all;
  for (const BackendCase& backend : backends())
    for (const OpCase& op : op_cases())
      if (backend.runs(op)) all.emplace_back(backend, op);
  return all;
}

inline std::string case_name(const testing::TestParamInfo<std::tuple<BackendCase, OpCase>>& info) {
  return std::get<0>(info.param).name + "_" + std::get<1>(info.param).name;
}

}  // namespace moebench::conformance
