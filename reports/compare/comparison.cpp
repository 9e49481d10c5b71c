#include "reports/compare/comparison.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/base/error.h"
#include "reports/metrics/accuracy.h"
#include "reports/render/cells.h"
#include "reports/statistics/multiple.h"
#include "reports/statistics/unpaired.h"

namespace moebench {
namespace {

using QuestionScores = std::map<std::string, QuestionCount>;

std::map<std::string, QuestionScores> scores_by_task(const LoadedRun& run) {
  std::map<std::string, QuestionScores> scores;
  for (const SampleRecord& sample : run.samples) {
    QuestionCount& count = scores[sample.task][sample.question_id];
    ++count.attempts;
    count.correct += sample.correct();
  }
  return scores;
}

std::vector<QuestionCount> counts_of(const QuestionScores& scores) {
  std::vector<QuestionCount> counts;
  for (const auto& [id, count] : scores) counts.push_back(count);
  return counts;
}

double mean(const QuestionCount& count) {
  return static_cast<double>(count.correct) / static_cast<double>(count.attempts);
}

TaskComparison compare_task(const std::string& task, const QuestionScores& baseline,
                            const QuestionScores& candidate, double margin) {
  TaskComparison result;
  result.task = task;
  std::vector<PairedScore> pairs;
  std::vector<QuestionCount> a, b;
  bool single = true;
  for (const auto& [id, count] : baseline) {
    const auto it = candidate.find(id);
    if (it == candidate.end()) continue;
    pairs.push_back({mean(count), mean(it->second)});
    a.push_back(count);
    b.push_back(it->second);
    single = single && count.attempts == 1 && it->second.attempts == 1;
  }
  result.paired = !pairs.empty();
  if (result.paired) {
    result.questions = static_cast<std::int64_t>(pairs.size());
    result.unmatched =
        static_cast<std::int64_t>(baseline.size() + candidate.size() - 2 * pairs.size());
    result.difference = paired_difference(pairs);
    if (single) {
      result.discordant = count_discordant(pairs);
      result.test = "exact McNemar";
      result.p = mcnemar_exact_p(result.discordant->only_a, result.discordant->only_b);
    } else {
      result.test = "paired permutation";
      result.p = paired_permutation_p(pairs);
    }
  } else {
    a = counts_of(baseline);
    b = counts_of(candidate);
    result.questions = static_cast<std::int64_t>(b.size());
    result.difference = unpaired_difference(estimate_proportion(a), estimate_proportion(b));
    result.test = "unpaired normal";
    result.p = unpaired_p(result.difference);
  }
  result.baseline_accuracy = estimate_proportion(a);
  result.candidate_accuracy = estimate_proportion(b);
  result.equivalence_p = equivalence_p(result.difference, margin);
  return result;
}

void decide(TaskComparison& c, const CompareOptions& options) {
  const std::string points = format_fixed(options.margin * 100, 1) + " points";
  const bool real = c.adjusted_p < options.alpha;
  if (c.adjusted_equivalence_p < options.alpha) {
    c.verdict = ComparisonVerdict::kEquivalent;
    c.because = real ? "a real difference, but smaller than " + points
                     : "the difference is shown to be smaller than " + points;
  } else if (real) {
    c.verdict = c.difference.value > 0 ? ComparisonVerdict::kBetter : ComparisonVerdict::kWorse;
    c.because = "a difference this large would be rare by chance";
  } else {
    c.verdict = ComparisonVerdict::kInconclusive;
    c.because = c.p < options.alpha
                    ? "rare by chance alone, but not as one of the comparisons made here (Holm)"
                    : "too few questions to tell a difference of " + points + " from none";
  }
}

}  // namespace

const char* to_string(ComparisonVerdict verdict) {
  switch (verdict) {
    case ComparisonVerdict::kBetter:
      return "better";
    case ComparisonVerdict::kWorse:
      return "worse";
    case ComparisonVerdict::kEquivalent:
      return "equivalent";
    case ComparisonVerdict::kInconclusive:
      return "inconclusive";
  }
  return "inconclusive";
}

std::vector<TaskComparison> compare_accuracy(std::span<const LoadedRun> runs,
                                             const CompareOptions& options) {
  if (runs.size() < 2)
    throw Error(ErrorCode::kUsage, "a comparison needs at least two runs",
                "moebench compare RUN RUN...");
  if (options.baseline >= runs.size())
    throw Error(ErrorCode::kUsage, "the baseline is not among the runs");
  const auto labels = distinct_labels(runs);
  const auto mismatches = find_mismatches(runs, options.baseline, !options.thinking_budgets);
  if (!mismatches.empty() && !options.allow_mismatch)
    throw Error(ErrorCode::kConfiguration,
                "these runs can't be compared: " + describe(mismatches, labels[options.baseline]),
                "make the runs alike, or compare them all the same with --allow-mismatch");
  const bool loads = runs[options.baseline].run.load.has_value();
  for (std::size_t r = 0; r < runs.size(); ++r)
    if (runs[r].run.load.has_value() != loads)
      throw Error(ErrorCode::kConfiguration,
                  labels[loads ? options.baseline : r] +
                      " is a load test, which grades nothing, and " +
                      labels[loads ? r : options.baseline] + " is not",
                  "compare load tests with each other, and evaluations with each other");
  for (std::size_t r = 0; r < runs.size(); ++r)
    if (runs[r].samples.empty())
      throw Error(
          ErrorCode::kConfiguration,
          labels[r] + " (" + runs[r].run.run_id + ") holds no samples: nothing was answered",
          "compare runs that answered something");
  if (loads) return {};  // speed and cost are all there is to compare
  const auto baseline = scores_by_task(runs[options.baseline]);
  std::vector<TaskComparison> result;
  for (std::size_t r = 0; r < runs.size(); ++r) {
    if (r == options.baseline) continue;
    const auto candidate = scores_by_task(runs[r]);
    bool any = false;
    for (const AccuracyGroup& group : accuracy_by_task(runs[options.baseline].samples)) {
      const auto it = candidate.find(group.task);
      if (it == candidate.end()) continue;
      result.push_back(
          compare_task(group.task, baseline.at(group.task), it->second, options.margin));
      result.back().candidate = r;
      any = true;
    }
    if (!any)
      throw Error(ErrorCode::kConfiguration,
                  labels[options.baseline] + " and " + labels[r] + " have no task in common",
                  "compare runs of the same tasks (a run without samples has none)");
  }
  std::vector<double> p, equivalence;
  for (const TaskComparison& c : result) {
    p.push_back(c.p);
    equivalence.push_back(c.equivalence_p);
  }
  const auto adjusted_p = holm_adjusted(p), adjusted_equivalence = holm_adjusted(equivalence);
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i].adjusted_p = adjusted_p[i];
    result[i].adjusted_equivalence_p = adjusted_equivalence[i];
    decide(result[i], options);
  }
  return result;
}

}  // namespace moebench
