#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "reports/claims/tests.h"
#include "reports/compare/comparison.h"
#include "reports/cost/projection.h"
#include "reports/cost/token_cost.h"
#include "reports/metrics/accuracy.h"
#include "reports/metrics/run_cost.h"
#include "reports/render/cells.h"
#include "reports/run_report/run_report.h"
#include "reports/statistics/unpaired.h"

namespace moebench {

ClaimFinding not_testable(std::string why, std::string would_decide) {
  return {ClaimVerdict::kNotTestable, std::move(why), std::move(would_decide), {}};
}

bool is_named(const RunRecord& run, const std::string& name) {
  return run.label == name || run.model.name == name || run.run_id == name;
}

const LoadedRun* find_run(std::span<const LoadedRun> runs, const std::string& name) {
  for (const LoadedRun& run : runs)
    if (is_named(run.run, name)) return &run;
  return nullptr;
}

ClaimFinding judge_ratio(const ClaimTest& test, double ratio, std::optional<Interval> interval,
                         std::string evidence, Provenance provenance) {
  ClaimFinding finding;
  finding.provenance = provenance;
  finding.evidence = std::move(evidence) + "; ratio " + format_number(ratio);
  if (interval)
    finding.evidence +=
        " [" + format_number(interval->low) + ", " + format_number(interval->high) + "]";
  finding.evidence += ", claimed at most " + format_number(*test.limit);
  const Interval range = interval.value_or(Interval{ratio, ratio});
  if (range.high <= *test.limit)
    finding.verdict = ClaimVerdict::kSupported;
  else if (range.low > *test.limit)
    finding.verdict = ClaimVerdict::kRefuted;
  else
    finding.verdict = ClaimVerdict::kInconclusive;
  if (finding.verdict == ClaimVerdict::kInconclusive)
    finding.would_decide = "more questions: the interval of the ratio holds the limit";
  return finding;
}

namespace {

// ------------------------------------------------------------------ accuracy

struct KnownAccuracy {
  ProportionEstimate estimate;
  std::string where;  // "97.3 % (DeepSeek-R1 README, ...)"
  Provenance provenance = Provenance::kPublished;
};

std::optional<KnownAccuracy> find_accuracy(const std::string& model, const std::string& task,
                                           std::span<const LoadedRun> runs,
                                           const Catalog& catalog) {
  KnownAccuracy known;
  if (const LoadedRun* run = find_run(runs, model))
    for (const AccuracyGroup& group : accuracy_by_task(run->samples))
      if (group.task == task) {
        known.estimate = group.accuracy;
        known.provenance = Provenance::kMeasured;
        known.where = format_percent(group.accuracy.value) + " % measured over " +
                      format_count(group.questions) + " questions (run " + run->run.run_id + ")";
        return known;
      }
  if (const PublishedAccuracy* published = catalog.accuracy(model, task)) {
    // Even a model sampled 64 times was asked no more than these questions.
    ProportionEstimate& e = known.estimate;
    e.value = published->accuracy;
    e.effective_trials = published->questions;
    e.standard_error = std::sqrt(e.value * (1 - e.value) / e.effective_trials);
    e.interval = wilson_interval(e.value * e.effective_trials, e.effective_trials);
    known.where = format_percent(e.value) + " % published (" + published->source + ", " +
                  (published->protocol.empty() ? "protocol not stated" : published->protocol) +
                  ", " + format_count(static_cast<std::int64_t>(published->questions)) +
                  " questions, mark " + published->mark + ")";
    return known;
  }
  return std::nullopt;
}

ClaimFinding test_accuracy(const ClaimTest& test, std::span<const LoadedRun> runs,
                           const Catalog& catalog) {
  if (test.relation != "within" && test.relation != "at-least")
    return not_testable("this build knows no relation \"" + test.relation + "\" for accuracy",
                        "a relation of within or at-least");
  if (!test.margin_points || test.task.empty())
    return not_testable("the test states no margin or no task",
                        "\"margin_points\" and \"task\" in the claim");
  const auto subject = find_accuracy(test.subject, test.task, runs, catalog);
  const auto reference = find_accuracy(test.reference, test.task, runs, catalog);
  for (const auto& [name, known] :
       {std::pair(test.subject, subject), std::pair(test.reference, reference)})
    if (!known)
      return not_testable("no run and no published figure of " + name + " on " + test.task,
                          "a run of " + name + " on " + test.task);
  // Paired where both are runs of the same questions.
  const LoadedRun *a = find_run(runs, test.reference), *b = find_run(runs, test.subject);
  DifferenceEstimate difference = unpaired_difference(reference->estimate, subject->estimate);
  std::string how = "as independent samples";
  if (a && b && a != b) {
    const std::vector<LoadedRun> pair = {*a, *b};
    for (const TaskComparison& c : compare_accuracy(pair, {.allow_mismatch = true}))
      if (c.task == test.task && c.paired) {
        difference = c.difference;
        how = "paired by question";
      }
  }
  const double margin = *test.margin_points / 100;
  constexpr double kAlpha = 0.05;
  ClaimFinding finding;
  finding.provenance = subject->provenance;
  finding.evidence = test.subject + " " + subject->where + "; " + test.reference + " " +
                     reference->where + "; difference " + format_fixed(difference.value * 100, 1) +
                     " points [" + format_fixed(difference.interval.low * 100, 1) + ", " +
                     format_fixed(difference.interval.high * 100, 1) + "], " + how + ", margin " +
                     format_number(*test.margin_points) + " points";
  const bool within = test.relation == "within";
  const double p =
      within ? equivalence_p(difference, margin) : non_inferiority_p(difference, margin);
  if (p < kAlpha)
    finding.verdict = ClaimVerdict::kSupported;
  else if (difference.interval.high < -margin || (within && difference.interval.low > margin))
    finding.verdict = ClaimVerdict::kRefuted;
  else
    finding.verdict = ClaimVerdict::kInconclusive;
  if (finding.verdict == ClaimVerdict::kInconclusive)
    finding.would_decide =
        "more questions: the difference is known to within " +
        format_fixed((difference.interval.high - difference.interval.low) * 50, 1) + " points";
  return finding;
}

// ------------------------------------------------------------------ ratios

ClaimFinding test_price(const ClaimTest& test, const Catalog& catalog) {
  for (const std::string& name : {test.subject, test.reference})
    if (!catalog.api_price(name))
      return not_testable("no published price of " + name, "a price list with its date");
  const bool input = test.metric == "price_per_input_token";
  const auto price = [&](const std::string& name) {
    const ApiPrice* p = catalog.api_price(name);
    return input ? p->input_usd_per_million : p->output_usd_per_million;
  };
  const auto words = [&](const std::string& name) {
    const ApiPrice* p = catalog.api_price(name);
    return name + " " + format_number(price(name)) + " USD/M " + (input ? "input" : "output") +
           " (" + (p->valid.empty() ? p->as_of : p->valid) + ", mark " + p->mark + ")";
  };
  return judge_ratio(test, price(test.subject) / price(test.reference), {},
                     words(test.subject) + "; " + words(test.reference), Provenance::kPublished);
}

// ------------------------------------------------------------------ money and machines

ClaimFinding test_monthly(const ClaimTest& test, const Catalog& catalog) {
  if (!test.input_tokens || !test.output_tokens || !test.limit || !test.reference_limit)
    return not_testable("the test does not say the workload and the two limits",
                        "\"input_tokens\", \"output_tokens\", \"limit\", \"reference_limit\"");
  for (const std::string& name : {test.subject, test.reference})
    if (!catalog.api_price(name))
      return not_testable("no published price of " + name, "a price list with its date");
  const Workload workload{*test.input_tokens, *test.output_tokens, 0};
  const double x = monthly_usd(workload, token_price(*catalog.api_price(test.subject)));
  const double y = monthly_usd(workload, token_price(*catalog.api_price(test.reference)));
  ClaimFinding finding;
  finding.provenance = Provenance::kPublished;
  finding.evidence = format_number(*test.input_tokens / 1e6) + " M input and " +
                     format_number(*test.output_tokens / 1e6) +
                     " M output tokens a month: " + format_number(x) + " USD on " + test.subject +
                     ", " + format_number(y) + " USD on " + test.reference;
  finding.verdict = y < *test.reference_limit ? ClaimVerdict::kInconclusive
                    : x <= *test.limit        ? ClaimVerdict::kSupported
                                              : ClaimVerdict::kRefuted;
  if (finding.verdict == ClaimVerdict::kInconclusive)
    finding.would_decide = "a workload that costs at least " +
                           format_number(*test.reference_limit) + " USD on " + test.reference;
  return finding;
}

ClaimFinding test_published_decode(const ClaimTest& test, const Catalog& catalog) {
  if (!test.limit) return not_testable("the test states no limit", "\"limit\" in USD per million");
  // DeepSeek's day is of V3 and R1 together, on H800.
  const ServingDay& day = catalog.deepseek_day;
  if (test.subject != day.price_model || test.device != "h800-sxm")
    return not_testable("nobody has published what serving " + test.subject + " costs" +
                            (test.device.empty() ? "" : " on " + test.device),
                        "a run against a server of " + test.subject + " on such GPUs");
  const double usd = usd_per_million(day.gpus_per_node * day.usd_per_gpu_hour,
                                     day.output_tokens_per_second_per_node);
  ClaimFinding finding;
  finding.provenance = Provenance::kPublished;
  finding.evidence = format_number(usd) + " USD/M output at " +
                     format_number(day.output_tokens_per_second_per_node, 5) +
                     " tokens/s a node of 8 H800 and " + format_number(day.usd_per_gpu_hour) +
                     " USD a GPU-hour (" + day.source + ", " + day.as_of + "), claimed at most " +
                     format_number(*test.limit);
  finding.verdict = usd <= *test.limit ? ClaimVerdict::kSupported : ClaimVerdict::kRefuted;
  return finding;
}

ClaimFinding test_projected_ratio(const ClaimTest& test, const Catalog& catalog) {
  std::string id = test.subject;
  std::transform(id.begin(), id.end(), id.begin(), [](unsigned char c) { return std::tolower(c); });
  if (std::none_of(catalog.models.begin(), catalog.models.end(), [&](const ModelShape& m) {
        return m.id == id || std::count(m.aliases.begin(), m.aliases.end(), id) > 0;
      }))
    return not_testable("the shape of " + test.subject + " is not known", "its config.json");
  if (test.device.empty() || test.reference_device.empty())
    return not_testable("the test does not name its two devices",
                        "\"device\" and \"reference_device\"");
  const auto speed = [&](const std::string& device) {
    return project(catalog, catalog.model(id), catalog.device(device),
                   {.gpus = 16, .context_tokens = 5000})
        .decode_tokens_per_second_per_gpu;
  };
  const double slow = speed(test.device), fast = speed(test.reference_device);
  double worst = 0;
  for (const auto& anchor : fit_efficiency(catalog).anchors)
    worst = std::max(worst, std::fabs(std::log(anchor.projected / anchor.measured)));
  // The projection's own error, either way, is the doubt.
  const double ratio = fast / slow;
  ClaimFinding finding = judge_ratio(
      test, ratio, Interval{ratio * std::exp(-worst), ratio * std::exp(worst)},
      "projected decode, 16 GPUs, context 5,000, the batch that fits: " + format_number(slow) +
          " tokens/s/GPU on " + test.device + " and " + format_number(fast) + " on " +
          test.reference_device + ", anchors missed by a factor of up to " +
          format_number(std::exp(worst)),
      Provenance::kProjected);
  if (finding.verdict == ClaimVerdict::kInconclusive)
    finding.would_decide = "a measurement on both devices";
  return finding;
}

}  // namespace

ClaimFinding test_claim(const ClaimTest& test, std::span<const LoadedRun> runs,
                        const Catalog& catalog) {
  const auto price = [&] { return test_price(test, catalog); };
  const auto run_cost = [&] { return test_run_cost(test, runs); };
  struct Metric {
    std::string name;
    bool needs_limit;
    std::function<ClaimFinding()> decide;
  };
  const std::array metrics = {
      Metric{"accuracy", false, [&] { return test_accuracy(test, runs, catalog); }},
      Metric{"price_per_input_token", true, price},
      Metric{"price_per_output_token", true, price},
      Metric{"usd_per_question", true, run_cost},
      Metric{"usd_per_correct", true, run_cost},
      Metric{"usd_per_output_token", true, run_cost},
      Metric{"monthly_usd", false, [&] { return test_monthly(test, catalog); }},
      Metric{"published_usd_per_million_output", true,
             [&] { return test_published_decode(test, catalog); }},
      Metric{"projected_decode_slowdown", true,
             [&] { return test_projected_ratio(test, catalog); }}};
  std::string known;
  for (const Metric& metric : metrics) {
    known += (known.empty() ? "" : ", ") + metric.name;
    if (metric.name != test.metric) continue;
    if (metric.needs_limit && !test.limit)
      return not_testable("the test states no limit", "\"limit\" in the claim");
    return metric.decide();
  }
  return not_testable("this build knows no metric \"" + test.metric + "\"",
                      "a metric among " + known);
}

}  // namespace moebench
