#include <map>

#include "reports/compare/sections.h"
#include "reports/metrics/latency.h"
#include "reports/render/cells.h"

namespace moebench {
namespace {

using LatencyOf = std::optional<double> (*)(const SampleRecord&);

std::map<std::string, RatioTerm> latency_terms(const LoadedRun& run, LatencyOf latency) {
  std::map<std::string, RatioTerm> terms;
  for (const SampleRecord& sample : run.samples)
    if (const auto value = latency(sample)) {
      RatioTerm& term = terms[sample.task + "\n" + sample.question_id];
      term.numerator += *value;
      term.denominator += 1;
    }
  return terms;
}

// Mean of the run over mean of the baseline, on the questions that both have.
Cell latency_ratio(const LoadedRun& run, const LoadedRun& baseline, LatencyOf latency) {
  const auto of_run = latency_terms(run, latency), of_baseline = latency_terms(baseline, latency);
  std::vector<RatioTerm> a, b;
  RatioTerm sum_a, sum_b;
  for (const auto& [question, term] : of_run) {
    const auto it = of_baseline.find(question);
    if (it == of_baseline.end()) continue;
    a.push_back(term);
    b.push_back(it->second);
    sum_a.numerator += term.numerator;
    sum_a.denominator += term.denominator;
    sum_b.numerator += it->second.numerator;
    sum_b.denominator += it->second.denominator;
  }
  if (a.size() < 2 || sum_b.numerator <= 0) return unknown_cell();
  const double ratio = sum_a.numerator / sum_a.denominator / (sum_b.numerator / sum_b.denominator);
  return interval_cell(ratio, bootstrap_ratio_of_ratios(a, b));
}

Cell ratio_cell(std::optional<double> value, std::optional<double> baseline) {
  if (!value || !baseline || *baseline <= 0) return unknown_cell();
  return number_cell(*value / *baseline);
}

}  // namespace

Section speed_comparison_section(const ComparedRuns& compared) {
  Section section{"speed", "Speed", {}};
  const LoadedRun& baseline = compared.runs[compared.options.baseline];
  const ThroughputMetrics base = throughput_metrics(baseline);
  Table speed;
  speed.id = "speed-table";
  speed.caption = "Throughput and latency";
  speed.columns = {text_column("run", "run"),
                   number_column("prefill_tokens_per_second", "prefill", "tokens/s"),
                   number_column("decode_tokens_per_second", "decode", "tokens/s"),
                   number_column("output_tokens_per_second", "output", "tokens/s"),
                   number_column("ttft_p50_ms", "TTFT p50", "ms"),
                   number_column("ttft_p99_ms", "TTFT p99", "ms"),
                   number_column("tpot_p50_ms", "TPOT p50", "ms"),
                   number_column("tpot_p99_ms", "TPOT p99", "ms"),
                   number_column("peak_memory_mb", "memory", "MB")};
  Table ratios;
  ratios.id = "speed-ratios";
  ratios.caption = "Times " + compared.labels[compared.options.baseline];
  ratios.columns = {text_column("run", "run"),
                    number_column("prefill_ratio", "prefill tokens/s", "x"),
                    number_column("decode_ratio", "decode tokens/s", "x"),
                    number_column("output_ratio", "output tokens/s", "x"),
                    number_column("ttft_ratio", "mean TTFT", "x"),
                    number_column("tpot_ratio", "mean TPOT", "x")};
  for (std::size_t r = 0; r < compared.runs.size(); ++r) {
    const LoadedRun& run = compared.runs[r];
    const ThroughputMetrics s = throughput_metrics(run);
    const LatencyMetrics l = latency_metrics(run.samples);
    const auto latency = [](const Distribution& d, double value) {
      return d.count > 0 ? number_cell(value) : unknown_cell();
    };
    speed.rows.push_back({text_cell(compared.labels[r]), number_cell(s.prefill_tokens_per_second),
                          number_cell(s.decode_tokens_per_second),
                          number_cell(s.output_tokens_per_second),
                          latency(l.ttft_ms, l.ttft_ms.p50), latency(l.ttft_ms, l.ttft_ms.p99),
                          latency(l.tpot_ms, l.tpot_ms.p50), latency(l.tpot_ms, l.tpot_ms.p99),
                          run.run.peak_memory_bytes
                              ? number_cell(static_cast<double>(*run.run.peak_memory_bytes) / 1e6)
                              : unknown_cell()});
    if (r == compared.options.baseline) continue;
    ratios.rows.push_back({text_cell(compared.labels[r]),
                           ratio_cell(s.prefill_tokens_per_second, base.prefill_tokens_per_second),
                           ratio_cell(s.decode_tokens_per_second, base.decode_tokens_per_second),
                           ratio_cell(s.output_tokens_per_second, base.output_tokens_per_second),
                           latency_ratio(run, baseline, ttft_ms),
                           latency_ratio(run, baseline, tpot_ms)});
  }
  ratios.note =
      "Intervals: 95 %, bootstrap over the questions that both runs answered. They hold what the "
      "questions contribute, not how the machine drifts from run to run: repeat a run to see that.";
  section.blocks.push_back(std::move(speed));
  section.blocks.push_back(std::move(ratios));
  return section;
}

Section cost_comparison_section(const ComparedRuns& compared) {
  Section section{"cost", "Cost", {}};
  bool any = false;
  for (const auto& cost : compared.costs) any = any || cost.has_value();
  if (!any) {
    section.blocks.push_back(
        Paragraph{"No run's machine has a price; give one with --usd-per-hour.", Tone::kUncertain});
    return section;
  }
  Table table;
  table.id = "cost-table";
  table.caption = "Cost of the tokens and of a correct answer";
  table.columns = {text_column("run", "run"),
                   number_column("usd_per_hour", "machine", "USD/h"),
                   number_column("input_usd_per_million", "input", "USD/M"),
                   number_column("output_usd_per_million", "output", "USD/M"),
                   number_column("usd_per_question", "a question", "USD"),
                   number_column("usd_per_correct", "a correct answer", "USD"),
                   number_column("usd_per_correct_ratio", "times the baseline", "x")};
  const std::size_t base = compared.options.baseline;
  const auto terms_of = [&](std::size_t r) {
    std::map<std::string, RatioTerm> terms;
    for (const SampleRecord& sample : compared.runs[r].samples) {
      RatioTerm& term = terms[sample.task + "\n" + sample.question_id];
      term.numerator += sample_usd(sample, compared.costs[r]->price);
      term.denominator += sample.correct();
    }
    return terms;
  };
  for (std::size_t r = 0; r < compared.runs.size(); ++r) {
    const auto& cost = compared.costs[r];
    if (!cost) {
      table.rows.push_back({text_cell(compared.labels[r]), unknown_cell(), unknown_cell(),
                            unknown_cell(), unknown_cell(), unknown_cell(), unknown_cell()});
      continue;
    }
    const AnswerCost answer = answer_cost(compared.runs[r].samples, "", cost->price);
    Cell ratio = unknown_cell();
    if (r == base) {
      ratio = number_cell(1);
    } else if (compared.costs[base]) {
      const auto a = terms_of(r), b = terms_of(base);
      std::vector<RatioTerm> common_a, common_b;
      RatioTerm sum_a, sum_b;
      for (const auto& [question, term] : a) {
        const auto it = b.find(question);
        if (it == b.end()) continue;
        common_a.push_back(term);
        common_b.push_back(it->second);
        sum_a.numerator += term.numerator;
        sum_a.denominator += term.denominator;
        sum_b.numerator += it->second.numerator;
        sum_b.denominator += it->second.denominator;
      }
      if (common_a.size() > 1 && sum_a.denominator > 0 && sum_b.denominator > 0)
        ratio = interval_cell(
            sum_a.numerator / sum_a.denominator / (sum_b.numerator / sum_b.denominator),
            bootstrap_ratio_of_ratios(common_a, common_b));
    }
    table.rows.push_back(
        {text_cell(compared.labels[r]), number_cell(cost->usd_per_hour),
         number_cell(cost->price.input_usd_per_million),
         number_cell(cost->price.output_usd_per_million), number_cell(answer.usd_per_question),
         answer.usd_per_correct
             ? interval_cell(*answer.usd_per_correct, answer.usd_per_correct_interval)
             : text_cell("none correct", Tone::kUncertain),
         std::move(ratio)});
  }
  std::string rules;
  for (const auto& cost : compared.costs)
    if (cost && rules.find(cost->rule) == std::string::npos)
      rules += (rules.empty() ? "" : "; ") + cost->rule;
  table.note = "Over all tasks of a run; the ratio over the questions that both answered. " +
               ("Allocation: " + rules) + ". Intervals: 95 %, bootstrap over questions, seed " +
               std::to_string(kBootstrapSeed) + ".";
  section.blocks.push_back(std::move(table));
  return section;
}

}  // namespace moebench
