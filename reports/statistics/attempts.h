#pragma once

#include <cstdint>
#include <span>

namespace moebench {

/// Chance that at least one of k attempts, drawn from `attempts` of which `correct` were correct,
/// is correct: the unbiased estimator 1 - C(n-c, k) / C(n, k) (Chen et al. 2021, arXiv 2107.03374,
/// section 2.1). k must be 1 to attempts.
double pass_at_k(std::int64_t attempts, std::int64_t correct, std::int64_t k);

/// One attempt's answer, as its group of equal answers (-1: no answer) and whether that is right.
struct VotedAnswer {
  int cluster = -1;
  bool correct = false;
};

/// Chance that the majority of k attempts, drawn without replacement from these, is correct; ties
/// are broken evenly, attempts without an answer don't vote, and a draw without any answer is not
/// correct. Exact where the draws are few enough to enumerate (or k is all), else over 4,000 seeded
/// draws. k must be 1 to the number of attempts.
double majority_at_k(std::span<const VotedAnswer> attempts, std::int64_t k);

}  // namespace moebench
