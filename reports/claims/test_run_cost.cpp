#include <algorithm>
#include <map>

#include "reports/claims/tests.h"
#include "reports/metrics/latency.h"
#include "reports/metrics/question_terms.h"
#include "reports/metrics/run_cost.h"
#include "reports/render/cells.h"
#include "reports/run_report/load_report.h"
#include "reports/statistics/repeated.h"

namespace moebench {
namespace {

struct PricedRun {
  const LoadedRun* run = nullptr;
  RunCost cost;
};

// By load: runs under one load are repetitions of each other.
using RunsByLoad = std::map<std::string, std::vector<PricedRun>>;

RunsByLoad priced_runs(std::span<const LoadedRun> runs, const std::string& name) {
  RunsByLoad by_load;
  for (const LoadedRun& run : runs) {
    if (!is_named(run.run, name)) continue;
    if (const auto cost = run_cost(run))
      by_load[run.run.load ? load_words(*run.run.load) : ""].push_back({&run, *cost});
  }
  return by_load;
}

// "moe (1,702 M parameters, 301 M active, q8_0)": what was really run under a claim's name.
std::string run_words(const RunRecord& run) {
  std::string words = run_label(run);
  const ModelRecord& model = run.model;
  if (model.total_parameters > 0)
    words += " (" + format_count(model.total_parameters / 1'000'000) + " M parameters, " +
             format_count(model.active_parameters / 1'000'000) + " M active" +
             (model.weight_types.empty() ? "" : ", " + model.weight_types) + ")";
  return words;
}

const char* what_costs(const std::string& metric) {
  return metric == "usd_per_output_token" ? "an output token"
         : metric == "usd_per_correct"    ? "a correct answer"
                                          : "a question";
}

std::optional<double> usd_of(const PricedRun& priced, const std::string& metric) {
  if (metric == "usd_per_output_token") {
    const double usd = priced.cost.price.output_usd_per_million / 1e6;
    return usd > 0 ? std::optional(usd) : std::nullopt;
  }
  const AnswerCost cost = answer_cost(priced.run->samples, "", priced.cost.price, {.resamples = 1});
  if (metric == "usd_per_correct") return cost.usd_per_correct;
  return cost.usd_per_question > 0 ? std::optional(cost.usd_per_question) : std::nullopt;
}

// What one question adds to the figure. A price per output token is one figure a run, so that what
// a request adds to it is its own time a token after the first.
TermsByQuestion terms_of(const PricedRun& priced, const std::string& metric) {
  return question_terms(
      priced.run->samples, [&](const SampleRecord& sample) -> std::optional<RatioTerm> {
        if (metric == "usd_per_output_token") {
          const auto tpot = tpot_ms(sample);
          if (!tpot) return std::nullopt;
          const double gaps = static_cast<double>(sample.output_tokens - 1);
          return RatioTerm{*tpot * gaps, gaps};
        }
        return RatioTerm{sample_usd(sample, priced.cost.price),
                         metric == "usd_per_correct" ? static_cast<double>(sample.correct()) : 1.0};
      });
}

// One load's ratio with its interval, or nothing where it can't be formed.
struct LoadRatio {
  double value = 0;
  Interval interval;
  std::string evidence, how;
};

std::optional<LoadRatio> compare_load(const std::vector<PricedRun>& subject,
                                      const std::vector<PricedRun>& reference,
                                      const std::string& metric) {
  std::vector<double> x, y;
  const auto collect = [&](const std::vector<PricedRun>& runs, std::vector<double>& to) {
    for (const PricedRun& run : runs)
      if (const auto usd = usd_of(run, metric)) to.push_back(*usd);
  };
  collect(subject, x);
  collect(reference, y);
  if (x.empty() || y.empty()) return std::nullopt;
  const PairedTerms terms =
      join_terms(terms_of(subject.front(), metric), terms_of(reference.front(), metric));
  const auto by_question = terms.ratio_of_ratios();
  if (!by_question) return std::nullopt;  // not the same questions
  LoadRatio ratio;
  if (x.size() > 1 && y.size() > 1) {
    const RepeatedRatio repeated = repeated_ratio(x, y);
    ratio.value = repeated.value;
    ratio.interval = repeated.interval;
    ratio.how = "over " + std::to_string(x.size()) + " and " + std::to_string(y.size()) + " runs";
  } else {
    // The requests of a single run give the width; the runs' own figures are what it is about.
    ratio.value = metric == "usd_per_output_token" ? x[0] / y[0] : *by_question;
    const Interval interval = bootstrap_ratio_of_ratios(terms.a, terms.b);
    const double scale = ratio.value / *by_question;
    ratio.interval = {interval.low * scale, interval.high * scale};
    ratio.how = "over " + std::to_string(terms.a.size()) +
                " requests of one run each, which holds no drift of the machine";
  }
  const auto mean = [](const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  };
  ratio.evidence = std::string(what_costs(metric)) + " costs " + usd_text(mean(x)) + " in " +
                   run_words(subject.front().run->run) + " and " + usd_text(mean(y)) + " in " +
                   run_words(reference.front().run->run);
  return ratio;
}

}  // namespace

ClaimFinding test_run_cost(const ClaimTest& test, std::span<const LoadedRun> runs) {
  RunsByLoad priced[2];
  int at = 0;
  for (const std::string& name : {test.subject, test.reference}) {
    if (!find_run(runs, name))
      return not_testable("no run of " + name + ", and nobody publishes what " +
                              what_costs(test.metric) + " of it costs",
                          "a run of \"" + name + "\" on the same questions and machine");
    priced[at] = priced_runs(runs, name);
    if (priced[at].empty())
      return not_testable("the run of " + name + " has no price of its machine",
                          "the same run with --usd-per-hour");
    ++at;
  }
  ClaimFinding together;
  std::size_t loads = 0, agreeing = 0;
  bool supported = false, refuted = false;
  for (const auto& [load, subject] : priced[0]) {
    const auto reference = priced[1].find(load);
    if (reference == priced[1].end()) continue;
    const auto ratio = compare_load(subject, reference->second, test.metric);
    if (!ratio) continue;
    ClaimFinding finding =
        judge_ratio(test, ratio->value, ratio->interval, ratio->evidence, Provenance::kMeasured);
    finding.evidence =
        (load.empty() ? "" : load + ": ") + finding.evidence + " (" + ratio->how + ")";
    if (loads == 0)
      together = finding;
    else
      together.evidence += "; " + finding.evidence;
    agreeing += finding.verdict == together.verdict;
    supported = supported || finding.verdict == ClaimVerdict::kSupported;
    refuted = refuted || finding.verdict == ClaimVerdict::kRefuted;
    ++loads;
  }
  if (loads == 0)
    return not_testable("the two runs share no questions that could be priced",
                        "two runs on the same questions");
  if (agreeing < loads) {
    together.verdict = ClaimVerdict::kInconclusive;
    together.would_decide = supported && refuted
                                ? "a claim that says at which load: the loads disagree"
                                : "more runs at the load whose interval holds the limit";
  }
  return together;
}

}  // namespace moebench
