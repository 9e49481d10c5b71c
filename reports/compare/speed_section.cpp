#include "reports/compare/sections.h"
#include "reports/metrics/latency.h"
#include "reports/metrics/question_terms.h"
#include "reports/render/cells.h"

namespace moebench {
namespace {

using LatencyOf = std::optional<double> (*)(const SampleRecord&);

// Mean of the run over mean of the baseline, on the questions that both have.
Cell latency_ratio(const LoadedRun& run, const LoadedRun& baseline, LatencyOf latency) {
  const auto term_of = [&](const SampleRecord& sample) -> std::optional<RatioTerm> {
    const auto value = latency(sample);
    if (!value) return std::nullopt;
    return RatioTerm{*value, 1};
  };
  const PairedTerms terms =
      join_terms(question_terms(run.samples, term_of), question_terms(baseline.samples, term_of));
  const auto ratio = terms.ratio_of_ratios();
  return ratio ? interval_cell(*ratio, bootstrap_ratio_of_ratios(terms.a, terms.b))
               : unknown_cell();
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
    return question_terms(compared.runs[r].samples, [&](const SampleRecord& sample) {
      return std::optional(RatioTerm{sample_usd(sample, compared.costs[r]->price),
                                     sample.graded() ? double(sample.correct()) : 1.0});
    });
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
      const PairedTerms terms = join_terms(terms_of(r), terms_of(base));
      if (const auto value = terms.ratio_of_ratios()) {
        const Interval interval = bootstrap_ratio_of_ratios(terms.a, terms.b);
        // Requests of a load test are alike: their bootstrap says nothing, least of all certainty.
        ratio =
            interval.low < interval.high ? interval_cell(*value, interval) : number_cell(*value);
      }
    }
    table.rows.push_back(
        {text_cell(compared.labels[r]), number_cell(cost->usd_per_hour),
         number_cell(cost->price.input_usd_per_million),
         number_cell(cost->price.output_usd_per_million), number_cell(answer.usd_per_question),
         answer.usd_per_correct
             ? interval_cell(*answer.usd_per_correct, answer.usd_per_correct_interval)
         : compared.runs[r].run.load ? unknown_cell()
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
