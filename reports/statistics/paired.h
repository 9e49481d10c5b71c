#pragma once

#include <cstdint>
#include <span>

#include "reports/statistics/bootstrap.h"
#include "reports/statistics/interval.h"

namespace moebench {

/// Two systems on the same questions. Scores are mean correctness over a question's attempts, 0 to
/// 1; with one attempt each they are 0 or 1.
struct PairedScore {
  double a = 0, b = 0;
};

struct DiscordantCounts {
  std::int64_t only_a = 0;  ///< a correct, b not
  std::int64_t only_b = 0;
  std::int64_t both = 0, neither = 0;
  std::int64_t total() const { return only_a + only_b + both + neither; }
};
/// Every score must be 0 or 1.
DiscordantCounts count_discordant(std::span<const PairedScore> scores);

/// Two-sided exact McNemar test (McNemar 1947; the sign test on the discordant pairs):
/// min(1, 2 P(X <= min)), X ~ Binomial(only_a + only_b, 1/2). Its error rate never exceeds the
/// nominal one, and is below it for few discordant pairs.
double mcnemar_exact_p(std::int64_t only_a, std::int64_t only_b);
/// The mid-p variant (Fagerland, Lydersen & Laake 2013, BMC Med Res Methodol 13:91): half of the
/// observed point's own probability; closer to the nominal level.
double mcnemar_mid_p(std::int64_t only_a, std::int64_t only_b);

struct PermutationOptions {
  int permutations = 10000;
  std::uint64_t seed = kBootstrapSeed;
};
/// Two-sided paired permutation test of the mean difference: the signs of the questions'
/// differences are flipped; all of them where at most 16 questions differ, else at random, with the
/// observed one counted among the drawn (so p is never 0). 1 where nothing differs.
double paired_permutation_p(std::span<const PairedScore> scores,
                            const PermutationOptions& options = {});

struct DifferenceEstimate {
  double value = 0;  ///< mean of b - a
  double standard_error = 0;
  Interval interval;   ///< at `confidence`
  double center = 0;   ///< of the interval; differs from value where it is adjusted
  double degrees = 0;  ///< of freedom; infinite: normal
};

/// Mean paired difference b - a. For scores of 0 and 1: Bonett & Price 2012 (J. Educ. Behav. Stat.
/// 37:479), the Wald interval after adding one pair to each kind of disagreement, which stays
/// honest where the systems never disagree. Otherwise the t interval on the questions' differences,
/// with the same added pairs as a floor of the standard error.
DifferenceEstimate paired_difference(std::span<const PairedScore> scores,
                                     double confidence = kDefaultConfidence);

/// Two one-sided tests (Schuirmann 1987) that |b - a| < margin: the larger p of the two.
/// Equivalence holds at level alpha where it is below alpha, that is, where the 1 - 2 alpha
/// interval lies within the margin.
double equivalence_p(const DifferenceEstimate& difference, double margin);

/// p of the one-sided test that b - a > -margin (non-inferiority of b).
double non_inferiority_p(const DifferenceEstimate& difference, double margin);

}  // namespace moebench
