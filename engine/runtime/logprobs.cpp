#include "engine/runtime/logprobs.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace moebench {

TokenLogprobs token_logprobs(std::span<const float> logits, std::int32_t token, std::size_t n) {
  const double highest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - highest);
  const double log_sum = highest + std::log(sum);
  const auto logprob = [&](std::int32_t id) {
    return static_cast<float>(static_cast<double>(logits[static_cast<std::size_t>(id)]) - log_sum);
  };

  std::vector<std::int32_t> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  n = std::min(n, ids.size());
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(n), ids.end(),
                    [&](std::int32_t a, std::int32_t b) {
                      const float x = logits[static_cast<std::size_t>(a)];
                      const float y = logits[static_cast<std::size_t>(b)];
                      return x > y || (x == y && a < b);
                    });
  TokenLogprobs result{logprob(token), {}};
  for (std::size_t i = 0; i < n; ++i) result.top.emplace_back(ids[i], logprob(ids[i]));
  return result;
}

}  // namespace moebench
