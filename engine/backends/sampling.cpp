#include "engine/backends/sampling.h"

#include <algorithm>
#include <cmath>

namespace moebench {
namespace {

/// Heap order: the best candidate on top, the lower id among equals.
bool worse(const SampleCandidate& a, const SampleCandidate& b) noexcept {
  return a.weight < b.weight || (a.weight == b.weight && a.id > b.id);
}

/// Walks along the candidates until their sum passes `target`.
std::int32_t pick(const SampleCandidate* begin, const SampleCandidate* end,
                  double target) noexcept {
  double sum = 0.0;
  const SampleCandidate* last = begin;
  for (const SampleCandidate* c = begin; c != end; ++c) {
    if (c->weight <= 0.0f) continue;
    last = c;
    sum += static_cast<double>(c->weight);
    if (sum > target) return c->id;
  }
  return last->id;  // target was the whole sum, up to rounding
}

}  // namespace

std::int32_t argmax_row(const float* logits, std::int64_t vocab) noexcept {
  std::int64_t best = -1;
  for (std::int64_t i = 0; i < vocab; ++i)
    if (logits[i] == logits[i] && (best < 0 || logits[i] > logits[best])) best = i;
  return static_cast<std::int32_t>(best);
}

std::int32_t sample_row(const float* logits, std::int64_t vocab, const SampleRow& row,
                        std::vector<SampleCandidate>& scratch) {
  const std::int32_t best = argmax_row(logits, vocab);
  if (best < 0 || row.temperature <= 0.0f || row.top_k == 1 || !std::isfinite(logits[best]))
    return best;

  scratch.resize(static_cast<std::size_t>(vocab));
  const float highest = logits[best];
  double sum = 0.0;
  for (std::int64_t i = 0; i < vocab; ++i) {
    const float weight =
        logits[i] == logits[i] ? std::exp((logits[i] - highest) / row.temperature) : 0.0f;
    scratch[static_cast<std::size_t>(i)] = {weight, static_cast<std::int32_t>(i)};
    sum += static_cast<double>(weight);
  }
  const double uniform = static_cast<double>(row.uniform);
  const bool cut_k = row.top_k > 0 && row.top_k < vocab;
  const bool cut_p = row.top_p < 1.0f;
  SampleCandidate* const first = scratch.data();
  if (!cut_k && !cut_p) return pick(first, first + vocab, uniform * sum);

  // Candidates leave the heap best first and gather, in reverse, at the end of the array.
  std::make_heap(scratch.begin(), scratch.end(), worse);
  auto heap_end = scratch.end();
  const auto pop = [&] {
    std::pop_heap(scratch.begin(), heap_end, worse);
    return *--heap_end;
  };
  std::int64_t kept = 0;
  double kept_sum = 0.0;
  const std::int64_t limit = cut_k ? row.top_k : vocab;
  if (cut_k && cut_p) {
    // top_p is a share of what top_k left.
    while (kept < limit) kept_sum += static_cast<double>(pop().weight), ++kept;
    const double enough = static_cast<double>(row.top_p) * kept_sum;
    double run = 0.0;
    std::int64_t n = 0;
    while (n < kept && (n == 0 || run < enough))
      run += static_cast<double>(scratch[static_cast<std::size_t>(vocab - ++n)].weight);
    kept = n;
    kept_sum = run;
  } else {
    const double enough = cut_p ? static_cast<double>(row.top_p) * sum : 0.0;
    while (kept < limit && (kept == 0 || !cut_p || kept_sum < enough))
      kept_sum += static_cast<double>(pop().weight), ++kept;
  }
  std::reverse(scratch.end() - kept, scratch.end());
  return pick(first + vocab - kept, first + vocab, uniform * kept_sum);
}

}  // namespace moebench
