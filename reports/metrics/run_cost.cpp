#include "reports/metrics/run_cost.h"

#include "reports/metrics/accuracy.h"

namespace moebench {

double sample_usd(const SampleRecord& sample, const TokenPrice& price) {
  return (static_cast<double>(sample.prompt_tokens - sample.cached_tokens) *
              price.input_usd_per_million +
          static_cast<double>(sample.cached_tokens) * price.cached_input_usd_per_million +
          static_cast<double>(sample.output_tokens) * price.output_usd_per_million) /
         1e6;
}

std::optional<RunCost> run_cost(const LoadedRun& run, std::optional<double> usd_per_hour) {
  if (!usd_per_hour && !run.run.price) return std::nullopt;
  const auto phases = phase_time(run);
  const ThroughputMetrics speed = throughput_metrics(run);
  if (!phases || speed.wall_seconds <= 0) return std::nullopt;
  RunCost cost;
  cost.usd_per_hour = usd_per_hour ? *usd_per_hour : run.run.price->usd_per_hour;
  cost.price_source = usd_per_hour ? "given on the command line" : run.run.price->source;
  cost.price_as_of = usd_per_hour ? "" : run.run.price->as_of;
  cost.rule = phases->rule;
  cost.total_usd = cost.usd_per_hour * speed.wall_seconds / 3600;
  const auto per_million = [](double usd, std::int64_t tokens) {
    return tokens > 0 ? usd / static_cast<double>(tokens) * 1e6 : 0;
  };
  // With nothing to charge for one kind, the other carries the whole bill.
  double prefill_share = phases->prefill_share();
  if (speed.tokens.computed_prompt_tokens() <= 0) prefill_share = 0;
  if (speed.tokens.output_tokens <= 0) prefill_share = 1;
  cost.price.input_usd_per_million =
      per_million(cost.total_usd * prefill_share, speed.tokens.computed_prompt_tokens());
  cost.price.output_usd_per_million =
      per_million(cost.total_usd * (1 - prefill_share), speed.tokens.output_tokens);
  cost.blended_usd_per_million =
      per_million(cost.total_usd, speed.tokens.prompt_tokens + speed.tokens.output_tokens);
  return cost;
}

std::vector<RatioTerm> cost_terms(std::span<const SampleRecord> samples, const std::string& task,
                                  const TokenPrice& price) {
  std::vector<RatioTerm> terms;
  for (const QuestionAttempts& question : group_by_question(samples)) {
    if (!task.empty() && question.task != task) continue;
    RatioTerm& term = terms.emplace_back();
    for (const SampleRecord* sample : question.attempts) {
      term.numerator += sample_usd(*sample, price);
      term.denominator += sample->correct();
    }
  }
  return terms;
}

AnswerCost answer_cost(std::span<const SampleRecord> samples, const std::string& task,
                       const TokenPrice& price, const BootstrapOptions& options) {
  AnswerCost cost;
  cost.task = task;
  for (const SampleRecord& sample : samples) {
    if (!task.empty() && sample.task != task) continue;
    ++cost.attempts;
    cost.correct += sample.correct();
  }
  const auto terms = cost_terms(samples, task, price);
  for (const RatioTerm& term : terms) cost.usd += term.numerator;
  if (cost.attempts > 0) cost.usd_per_question = cost.usd / static_cast<double>(cost.attempts);
  if (cost.correct > 0) {
    cost.usd_per_correct = cost.usd / static_cast<double>(cost.correct);
    cost.usd_per_correct_interval = bootstrap_ratio(terms, options);
  }
  return cost;
}

}  // namespace moebench
