#include "reports/statistics/bootstrap.h"

#include <algorithm>
#include <boost/random/mersenne_twister.hpp>
#include <limits>
#include <vector>

#include "engine/base/check.h"
#include "reports/statistics/percentile.h"

namespace moebench {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double ratio(double numerator, double denominator) {
  return denominator > 0 ? numerator / denominator : kInfinity;
}

// Half a 64-bit draw each, scaled to the range: the same numbers on every machine, and quick. The
// bias of the scaling is below n / 2^32.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : engine_(seed) {}
  std::size_t below(std::size_t n) {
    if (!has_half_) bits_ = engine_();
    const std::uint64_t half = has_half_ ? bits_ >> 32 : bits_ & 0xffffffff;
    has_half_ = !has_half_;
    return static_cast<std::size_t>(half * n >> 32);
  }

 private:
  boost::random::mt19937_64 engine_;
  std::uint64_t bits_ = 0;
  bool has_half_ = false;
};

// By rank, not interpolated: infinity has no neighbour to interpolate with.
Interval percentile_interval(std::vector<double>& values, double confidence) {
  std::sort(values.begin(), values.end());
  const double n = static_cast<double>(values.size()), tail = (1 - confidence) / 2;
  const auto low = static_cast<std::size_t>(tail * n);
  const auto high = std::min(values.size() - 1, static_cast<std::size_t>((1 - tail) * n));
  return {values[low], values[high]};
}

RatioTerm draw_sum(std::span<const RatioTerm> terms, Draw& draw) {
  RatioTerm sum;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const RatioTerm& term = terms[draw.below(terms.size())];
    sum.numerator += term.numerator;
    sum.denominator += term.denominator;
  }
  return sum;
}

}  // namespace

Interval bootstrap_ratio(std::span<const RatioTerm> terms, const BootstrapOptions& options) {
  MOEBENCH_CHECK(!terms.empty() && options.resamples > 0);
  if (terms.size() == 1) return {-kInfinity, kInfinity};
  Draw draw(options.seed);
  std::vector<double> values(static_cast<std::size_t>(options.resamples));
  for (double& value : values) {
    const RatioTerm sum = draw_sum(terms, draw);
    value = ratio(sum.numerator, sum.denominator);
  }
  return percentile_interval(values, options.confidence);
}

Interval bootstrap_ratio_of_ratios(std::span<const RatioTerm> a, std::span<const RatioTerm> b,
                                   const BootstrapOptions& options) {
  MOEBENCH_CHECK(!a.empty() && a.size() == b.size() && options.resamples > 0);
  if (a.size() == 1) return {-kInfinity, kInfinity};
  Draw draw(options.seed);
  std::vector<double> values(static_cast<std::size_t>(options.resamples));
  for (double& value : values) {
    RatioTerm sum_a, sum_b;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const std::size_t pick = draw.below(a.size());
      sum_a.numerator += a[pick].numerator;
      sum_a.denominator += a[pick].denominator;
      sum_b.numerator += b[pick].numerator;
      sum_b.denominator += b[pick].denominator;
    }
    const double below = ratio(sum_b.numerator, sum_b.denominator);
    value = below == kInfinity ? 0 : ratio(ratio(sum_a.numerator, sum_a.denominator), below);
  }
  return percentile_interval(values, options.confidence);
}

Interval bootstrap_unpaired_ratio_of_ratios(std::span<const RatioTerm> a,
                                            std::span<const RatioTerm> b,
                                            const BootstrapOptions& options) {
  MOEBENCH_CHECK(!a.empty() && !b.empty() && options.resamples > 0);
  if (a.size() == 1 || b.size() == 1) return {-kInfinity, kInfinity};
  Draw draw(options.seed);
  std::vector<double> values(static_cast<std::size_t>(options.resamples));
  for (double& value : values) {
    const RatioTerm sum_a = draw_sum(a, draw), sum_b = draw_sum(b, draw);
    const double below = ratio(sum_b.numerator, sum_b.denominator);
    value = below == kInfinity ? 0 : ratio(ratio(sum_a.numerator, sum_a.denominator), below);
  }
  return percentile_interval(values, options.confidence);
}

}  // namespace moebench
