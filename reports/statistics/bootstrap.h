#pragma once

#include <cstdint>
#include <span>

#include "reports/statistics/interval.h"

namespace moebench {

inline constexpr std::uint64_t kBootstrapSeed = 20250901;
inline constexpr int kBootstrapResamples = 2000;

struct BootstrapOptions {
  int resamples = kBootstrapResamples;
  std::uint64_t seed = kBootstrapSeed;  ///< same seed, same interval, on every machine
  double confidence = kDefaultConfidence;
};

/// One unit that is drawn with replacement: a question with all its attempts.
struct RatioTerm {
  double numerator = 0, denominator = 0;
};

/// Percentile bootstrap (Efron 1979) of sum(numerator) / sum(denominator) over the terms. A
/// resample whose denominator is 0 counts as +infinity, so an interval of a cost per correct answer
/// is open above where a resample may well hold no correct answer at all.
/// Needs at least one term; [-inf, inf] for one.
Interval bootstrap_ratio(std::span<const RatioTerm> terms, const BootstrapOptions& options = {});

/// The same for ratio(a) / ratio(b), both drawn with the same questions each time: a[i] and b[i]
/// belong to one question. Sizes must agree.
Interval bootstrap_ratio_of_ratios(std::span<const RatioTerm> a, std::span<const RatioTerm> b,
                                   const BootstrapOptions& options = {});

/// The same for ratio(a) / ratio(b) of independent sets of questions.
Interval bootstrap_unpaired_ratio_of_ratios(std::span<const RatioTerm> a,
                                            std::span<const RatioTerm> b,
                                            const BootstrapOptions& options = {});

}  // namespace moebench
