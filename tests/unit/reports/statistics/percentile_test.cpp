#include "reports/statistics/percentile.h"

#include <gtest/gtest.h>

namespace moebench {
namespace {

// numpy.percentile([1, 2, 3, 4, 10], [0, 50, 90, 99, 100]) = 1, 3, 7.6, 9.76, 10.
TEST(Percentile, InterpolatesLinearlyAsNumpyDoes) {
  const Distribution d = describe({10, 3, 1, 4, 2});
  EXPECT_EQ(d.count, 5u);
  EXPECT_DOUBLE_EQ(d.mean, 4);
  EXPECT_DOUBLE_EQ(d.min, 1);
  EXPECT_DOUBLE_EQ(d.p50, 3);
  EXPECT_DOUBLE_EQ(d.p90, 7.6);
  EXPECT_DOUBLE_EQ(d.p99, 9.76);
  EXPECT_DOUBLE_EQ(d.max, 10);
}

TEST(Percentile, OneValueIsEveryPercentileAndNoneIsCounted) {
  EXPECT_DOUBLE_EQ(describe({5}).p99, 5);
  EXPECT_EQ(describe({}).count, 0u);
}

}  // namespace
}  // namespace moebench
