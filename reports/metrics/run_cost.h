#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "reports/metrics/throughput.h"
#include "reports/statistics/bootstrap.h"

namespace moebench {

/// USD per million tokens, by kind of token.
struct TokenPrice {
  double input_usd_per_million = 0;         ///< prompt tokens that were computed
  double cached_input_usd_per_million = 0;  ///< prompt tokens found in the prefix cache
  double output_usd_per_million = 0;        ///< thinking included
};

/// What one attempt costs at these prices.
double sample_usd(const SampleRecord& sample, const TokenPrice& price);

/// What the run's tokens cost on the machine that made them: its price per hour over its wall time,
/// all of it charged, divided by phase_time()'s rule. A cached token takes no pass and is charged
/// nothing. Input and output together give the bill again.
struct RunCost {
  double usd_per_hour = 0;
  std::string price_source, price_as_of, rule;
  double total_usd = 0;
  TokenPrice price;
  double blended_usd_per_million = 0;  ///< the bill / (prompt and output tokens)
};
/// Absent without a price, without wall time or without a way to divide it. `usd_per_hour`
/// overrides the record's price.
std::optional<RunCost> run_cost(const LoadedRun& run, std::optional<double> usd_per_hour = {});

/// For one task of the run (or, with an empty name, all of them).
struct AnswerCost {
  std::string task;
  double usd = 0;
  double usd_per_question = 0;  ///< per attempt
  std::int64_t attempts = 0, correct = 0;
  std::optional<double> usd_per_correct;  ///< absent where nothing was correct
  Interval usd_per_correct_interval;      ///< bootstrap over questions, 95 %; may be open above
};
AnswerCost answer_cost(std::span<const SampleRecord> samples, const std::string& task,
                       const TokenPrice& price, const BootstrapOptions& options = {});

/// The terms that answer_cost resamples: (USD, correct answers) of each question of the task.
std::vector<RatioTerm> cost_terms(std::span<const SampleRecord> samples, const std::string& task,
                                  const TokenPrice& price);

}  // namespace moebench
