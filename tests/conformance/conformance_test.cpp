#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cpu/kernels.h"
#include "engine/backends/reference/reference_backend.h"
#include "tests/conformance/op_cases.h"

// One suite for every backend: each op against the reference within a tolerance, and its rows bit
// by bit whatever the batch and the threads. A backend joins by a line in backends().

namespace moebench::conformance {
namespace {

struct BackendCase {
  std::string name;
  std::function<std::unique_ptr<Backend>(int threads)> make;
};

std::vector<BackendCase> backends() {
  std::vector<BackendCase> cases = {{"reference", [](int) { return make_reference_backend(); }}};
  for (const cpu::Kernels* level : cpu::available_kernels())
    cases.push_back({"cpu_" + std::string(level->isa), [level](int threads) {
                       setenv("MOEBENCH_ISA", std::string(level->isa).c_str(), 1);
                       auto backend = make_cpu_backend(threads);
                       unsetenv("MOEBENCH_ISA");
                       return backend;
                     }});
  return cases;
}

std::vector<int> all_rows() {
  std::vector<int> rows(kRows);
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

class Conformance : public testing::TestWithParam<std::tuple<BackendCase, OpCase>> {
 protected:
  std::unique_ptr<Backend> make(int threads) const { return std::get<0>(GetParam()).make(threads); }
  const OpCase& op() const { return std::get<1>(GetParam()); }
};

TEST_P(Conformance, MatchesTheReference) {
  const auto backend = make(2), reference = make_reference_backend();
  const std::vector<int> rows = all_rows();
  const std::vector<float> got = op().op(*backend, rows), want = op().op(*reference, rows);
  ASSERT_EQ(got.size(), want.size());
  const std::size_t width = got.size() / kRows;
  for (std::size_t r = 0; r < kRows; ++r) {
    double error = 0.0, norm = 0.0;
    for (std::size_t i = r * width; i < (r + 1) * width; ++i) {
      ASSERT_TRUE(std::isfinite(got[i])) << "row " << r << ", element " << i - r * width;
      error += std::pow(static_cast<double>(got[i]) - static_cast<double>(want[i]), 2);
      norm += std::pow(static_cast<double>(want[i]), 2);
    }
    ASSERT_LE(std::sqrt(error), op().tolerance * std::sqrt(norm))
        << "row " << r << ": look at this op's kernel, or at its weights' packing";
  }
}

TEST_P(Conformance, RowsDependOnThemselvesAlone) {
  const std::vector<int> everything = all_rows();
  const std::vector<float> want = op().op(*make(1), everything);
  const std::size_t width = want.size() / kRows;
  std::mt19937 generator(7);
  for (const int threads : {1, 2, 4}) {
    const auto backend = make(threads);
    for (const std::size_t batch : {1, 2, 7, 16, 64}) {
      std::vector<int> rows = everything;
      std::shuffle(rows.begin(), rows.end(), generator);
      // Three batches of the small sizes: enough to meet each tail of the tiles.
      for (std::size_t start = 0; start + batch <= kRows && start < 3 * batch; start += batch) {
        const std::span<const int> some(rows.data() + start, batch);
        const std::vector<float> got = op().op(*backend, some);
        ASSERT_EQ(got.size(), batch * width);
        for (std::size_t r = 0; r < batch; ++r)
          ASSERT_EQ(0, std::memcmp(got.data() + r * width,
                                   want.data() + static_cast<std::size_t>(some[r]) * width,
                                   width * sizeof(float)))
              << "row " << some[r] << " changed its bits in a batch of " << batch << " with "
              << threads << " threads";
      }
    }
  }
}

std::string case_name(const testing::TestParamInfo<std::tuple<BackendCase, OpCase>>& info) {
  return std::get<0>(info.param).name + "_" + std::get<1>(info.param).name;
}

INSTANTIATE_TEST_SUITE_P(Backends, Conformance,
                         testing::Combine(testing::ValuesIn(backends()),
                                          testing::ValuesIn(op_cases())),
                         case_name);

}  // namespace
}  // namespace moebench::conformance
