#include "tests/conformance/conformance.h"

#include <cmath>

#include "engine/backends/reference/reference_backend.h"

namespace moebench::conformance {
namespace {

class Conformance : public BackendTest {
 protected:
  void SetUp() override { std::get<0>(GetParam()).prepare(true); }
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

INSTANTIATE_TEST_SUITE_P(Backends, Conformance, testing::ValuesIn(cases()), case_name);

}  // namespace
}  // namespace moebench::conformance
