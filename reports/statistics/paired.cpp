#include "reports/statistics/paired.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/random/mersenne_twister.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/base/check.h"

namespace moebench {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double upper_quantile(double degrees, double probability) {
  if (std::isinf(degrees)) return boost::math::quantile(boost::math::normal(), probability);
  return boost::math::quantile(boost::math::students_t(degrees), probability);
}

// P(T > t)
double upper_tail(double degrees, double t) {
  if (std::isinf(degrees))
    return boost::math::cdf(boost::math::complement(boost::math::normal(), t));
  return boost::math::cdf(boost::math::complement(boost::math::students_t(degrees), t));
}

}  // namespace

DiscordantCounts count_discordant(std::span<const PairedScore> scores) {
  DiscordantCounts counts;
  for (const PairedScore& score : scores) {
    MOEBENCH_CHECK((score.a == 0 || score.a == 1) && (score.b == 0 || score.b == 1));
    if (score.a == score.b)
      ++(score.a == 1 ? counts.both : counts.neither);
    else
      ++(score.a == 1 ? counts.only_a : counts.only_b);
  }
  return counts;
}

double mcnemar_exact_p(std::int64_t only_a, std::int64_t only_b) {
  const auto n = static_cast<double>(only_a + only_b);
  if (n == 0) return 1;
  const auto fewer = static_cast<double>(std::min(only_a, only_b));
  return std::min(1.0, 2 * boost::math::cdf(boost::math::binomial(n, 0.5), fewer));
}

double mcnemar_mid_p(std::int64_t only_a, std::int64_t only_b) {
  const auto n = static_cast<double>(only_a + only_b);
  if (n == 0) return 1;
  const boost::math::binomial half(n, 0.5);
  const auto fewer = static_cast<double>(std::min(only_a, only_b));
  if (only_a == only_b) return 1 - boost::math::pdf(half, fewer) / 2;
  return 2 * boost::math::cdf(half, fewer) - boost::math::pdf(half, fewer);
}

double paired_permutation_p(std::span<const PairedScore> scores,
                            const PermutationOptions& options) {
  std::vector<double> differences;
  double observed = 0;
  for (const PairedScore& score : scores)
    if (score.a != score.b) {
      differences.push_back(score.b - score.a);
      observed += differences.back();
    }
  if (differences.empty()) return 1;
  observed = std::fabs(observed);
  const double tolerance = 1e-12 * static_cast<double>(differences.size());
  constexpr std::size_t kExact = 16;
  if (differences.size() <= kExact) {
    const std::uint32_t all = std::uint32_t{1} << differences.size();
    std::uint32_t extreme = 0;
    for (std::uint32_t signs = 0; signs < all; ++signs) {
      double sum = 0;
      for (std::size_t i = 0; i < differences.size(); ++i)
        sum += (signs >> i & 1) != 0 ? -differences[i] : differences[i];
      extreme += std::fabs(sum) >= observed - tolerance;
    }
    return static_cast<double>(extreme) / all;
  }
  boost::random::mt19937_64 random(options.seed);
  int extreme = 1;  // the observed assignment is one of them
  for (int permutation = 0; permutation < options.permutations; ++permutation) {
    double sum = 0;
    for (std::size_t i = 0; i < differences.size();) {
      std::uint64_t signs = random();
      for (int bit = 0; bit < 64 && i < differences.size(); ++bit, ++i, signs >>= 1)
        sum += (signs & 1) != 0 ? -differences[i] : differences[i];
    }
    extreme += std::fabs(sum) >= observed - tolerance;
  }
  return static_cast<double>(extreme) / (options.permutations + 1);
}

DifferenceEstimate paired_difference(std::span<const PairedScore> scores, double confidence) {
  DifferenceEstimate estimate;
  const auto n = static_cast<double>(scores.size());
  if (scores.empty()) {
    estimate.standard_error = kInfinity;
    estimate.interval = {-1, 1};
    estimate.degrees = kInfinity;
    return estimate;
  }
  bool binary = true;
  double sum = 0;
  for (const PairedScore& score : scores) {
    sum += score.b - score.a;
    binary = binary && (score.a == 0 || score.a == 1) && (score.b == 0 || score.b == 1);
  }
  estimate.value = sum / n;
  estimate.degrees = kInfinity;
  const auto adjusted_error = [n](double only_a, double only_b) {
    const double p = (only_a + 1) / (n + 2), q = (only_b + 1) / (n + 2);
    return std::sqrt((p + q - (p - q) * (p - q)) / (n + 2));
  };
  if (binary) {
    const DiscordantCounts counts = count_discordant(scores);
    const auto only_a = static_cast<double>(counts.only_a);
    const auto only_b = static_cast<double>(counts.only_b);
    estimate.center = (only_b - only_a) / (n + 2);
    estimate.standard_error = adjusted_error(only_a, only_b);
  } else {
    double squares = 0;
    for (const PairedScore& score : scores) {
      const double residual = score.b - score.a - estimate.value;
      squares += residual * residual;
    }
    estimate.center = estimate.value;
    estimate.degrees = std::max(1.0, n - 1);
    estimate.standard_error =
        std::max(n > 1 ? std::sqrt(squares / (n - 1) / n) : 1.0, adjusted_error(0, 0) / 2);
  }
  const double half =
      upper_quantile(estimate.degrees, 0.5 + confidence / 2) * estimate.standard_error;
  estimate.interval = {std::max(-1.0, estimate.center - half),
                       std::min(1.0, estimate.center + half)};
  return estimate;
}

double non_inferiority_p(const DifferenceEstimate& difference, double margin) {
  if (std::isinf(difference.standard_error)) return 1;
  return upper_tail(difference.degrees, (difference.center + margin) / difference.standard_error);
}

double equivalence_p(const DifferenceEstimate& difference, double margin) {
  if (std::isinf(difference.standard_error)) return 1;
  return std::max(
      non_inferiority_p(difference, margin),
      upper_tail(difference.degrees, (margin - difference.center) / difference.standard_error));
}

}  // namespace moebench
