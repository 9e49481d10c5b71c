#include <algorithm>
#include <cstring>
#include <random>

#include "tests/conformance/conformance.h"

namespace moebench::conformance {
namespace {

class RowsAlone : public BackendTest {
 protected:
  void SetUp() override { std::get<0>(GetParam()).prepare(false); }
};

TEST_P(RowsAlone, RowsDependOnThemselvesAlone) {
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

INSTANTIATE_TEST_SUITE_P(Backends, RowsAlone, testing::ValuesIn(cases()), case_name);

}  // namespace
}  // namespace moebench::conformance
