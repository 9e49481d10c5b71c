#include "reports/statistics/repeated.h"

#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "engine/base/check.h"

namespace moebench {
namespace {

struct LogMean {
  double mean = 0, squared_error = 0, degrees = 0;  // of the mean
};

LogMean log_mean(std::span<const double> values) {
  MOEBENCH_CHECK(values.size() >= 2);
  LogMean result;
  const double n = static_cast<double>(values.size());
  for (const double value : values) {
    MOEBENCH_CHECK(value > 0);
    result.mean += std::log(value) / n;
  }
  double squares = 0;
  for (const double value : values) {
    const double d = std::log(value) - result.mean;
    squares += d * d;
  }
  result.degrees = n - 1;
  result.squared_error = squares / (n - 1) / n;
  return result;
}

}  // namespace

RepeatedRatio repeated_ratio(std::span<const double> a, std::span<const double> b,
                             double confidence) {
  const LogMean x = log_mean(a), y = log_mean(b);
  const double difference = x.mean - y.mean, variance = x.squared_error + y.squared_error;
  RepeatedRatio ratio;
  ratio.value = std::exp(difference);
  ratio.interval = {ratio.value, ratio.value};
  if (variance <= 0) return ratio;
  const double degrees = variance * variance /
                         (x.squared_error * x.squared_error / x.degrees +
                          y.squared_error * y.squared_error / y.degrees);
  const double t = boost::math::quantile(boost::math::students_t(degrees), 0.5 + confidence / 2);
  const double half = t * std::sqrt(variance);
  ratio.interval = {std::exp(difference - half), std::exp(difference + half)};
  return ratio;
}

}  // namespace moebench
