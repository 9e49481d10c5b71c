#include "reports/run_report/run_report.h"

#include "reports/metrics/accuracy.h"
#include "reports/metrics/run_cost.h"
#include "reports/render/cells.h"
#include "reports/run_report/sections.h"

namespace moebench {
namespace {

std::vector<Headline> headlines(const LoadedRun& run, const RunReportOptions& options) {
  std::vector<Headline> result;
  const auto cost = run_cost(run, options.usd_per_hour);
  for (const AccuracyGroup& group : accuracy_by_task(run.samples)) {
    const Interval& interval = group.accuracy.interval;
    result.push_back(
        {group.task, format_percent(group.accuracy.value) + " %",
         "95 %: " + format_percent(interval.low) + " to " + format_percent(interval.high) + ", " +
             format_count(group.counts.correct) + " of " + format_count(group.counts.total()),
         Tone::kNeutral});
  }
  const ThroughputMetrics speed = throughput_metrics(run);
  if (speed.prefill_tokens_per_second)
    result.push_back({"prefill", format_number(*speed.prefill_tokens_per_second) + " tokens/s", "",
                      Tone::kNeutral});
  if (speed.decode_tokens_per_second)
    result.push_back({"decode", format_number(*speed.decode_tokens_per_second) + " tokens/s", "",
                      Tone::kNeutral});
  else if (speed.output_tokens_per_second > 0)
    result.push_back({"output throughput",
                      format_number(speed.output_tokens_per_second) + " tokens/s", "",
                      Tone::kNeutral});
  const LatencyMetrics latency = latency_metrics(run.samples);
  if (latency.ttft_ms.count > 0)
    result.push_back({"TTFT, median", format_number(latency.ttft_ms.p50) + " ms",
                      "p99 " + format_number(latency.ttft_ms.p99) + " ms", Tone::kNeutral});
  if (latency.tpot_ms.count > 0)
    result.push_back({"TPOT, median", format_number(latency.tpot_ms.p50) + " ms",
                      "p99 " + format_number(latency.tpot_ms.p99) + " ms", Tone::kNeutral});
  if (cost) {
    result.push_back({"output tokens", format_usd(cost->price.output_usd_per_million) + " USD/M",
                      "input " + format_usd(cost->price.input_usd_per_million) + " USD/M, at " +
                          format_number(cost->usd_per_hour) + " USD/h",
                      Tone::kNeutral});
    const AnswerCost answer = answer_cost(run.samples, "", cost->price);
    if (answer.usd_per_correct) {
      result.push_back({"a correct answer", usd_text(*answer.usd_per_correct),
                        "95 %: " + usd_text(answer.usd_per_correct_interval.low) + " to " +
                            usd_text(answer.usd_per_correct_interval.high),
                        Tone::kNeutral});
    }
  }
  return result;
}

std::vector<Block> warnings(const LoadedRun& run) {
  std::vector<Block> blocks;
  std::int64_t planned = 0;
  for (const TaskRecord& task : run.run.tasks)
    planned += task.planned_questions * task.attempts_per_question;
  const auto have = static_cast<std::int64_t>(run.samples.size());
  if (run.run.status != RunStatus::kComplete)
    blocks.push_back(Paragraph{"This run is " + std::string(to_string(run.run.status)) + ": " +
                                   format_count(have) + " of " + format_count(planned) +
                                   " attempts are there. Figures are of those alone, and the first "
                                   "to finish may be the easy ones.",
                               Tone::kBad});
  else if (have < planned)
    blocks.push_back(Paragraph{"The run says that it is complete, but holds only " +
                                   format_count(have) + " of " + format_count(planned) +
                                   " attempts.",
                               Tone::kBad});
  for (const std::string& warning : run.warnings)
    blocks.push_back(Paragraph{warning, Tone::kUncertain});
  for (const std::string& warning : run.run.warnings)
    blocks.push_back(Paragraph{warning, Tone::kUncertain});
  if (run.run.overhead && run.run.overhead->fraction_of_run > 0.01)
    blocks.push_back(Paragraph{"The harness itself took " +
                                   format_percent(run.run.overhead->fraction_of_run) +
                                   " % of the run; speed figures are disturbed.",
                               Tone::kBad});
  return blocks;
}

Document start(const LoadedRun& run, const RunReportOptions& options) {
  Document document;
  document.title = run_label(run.run);
  document.subtitle = run.run.engine.name;
  if (!run.run.engine.device.empty()) document.subtitle += " on " + run.run.engine.device;
  if (!run.run.environment.cpu.empty() && run.run.environment.gpus.empty())
    document.subtitle += " (" + run.run.environment.cpu + ")";
  for (const std::string& gpu : run.run.environment.gpus) document.subtitle += ", " + gpu;
  document.subtitle += ", " + run.run.started_utc;
  document.headlines = headlines(run, options);
  if (auto blocks = warnings(run); !blocks.empty())
    document.sections.push_back({"notes", "To keep in mind", std::move(blocks)});
  return document;
}

}  // namespace

std::string run_label(const RunRecord& run) {
  if (!run.label.empty()) return run.label;
  if (run.model.name.empty()) return run.run_id;
  return run.model.weight_types.empty() ? run.model.name
                                        : run.model.name + " (" + run.model.weight_types + ")";
}

Document build_run_report(const LoadedRun& run, const RunReportOptions& options) {
  Document document = start(run, options);
  if (!run.run.load) document.sections.push_back(accuracy_section(run));
  if (!run.samples.empty()) {
    document.sections.push_back(speed_section(run, options));
    document.sections.push_back(cost_section(run, options));
    if (Section experts = experts_section(run); !experts.blocks.empty())
      document.sections.push_back(std::move(experts));
    if (options.samples && !run.run.load)
      document.sections.push_back(samples_section(run, options));
  }
  document.sections.push_back(method_section(run));
  return document;
}

Document build_run_summary(const LoadedRun& run, const RunReportOptions& options) {
  Document document = start(run, options);
  if (run.run.load) {
    document.sections.push_back(speed_section(run, options));
    return document;
  }
  Section accuracy = accuracy_section(run);
  if (accuracy.blocks.size() > 1) accuracy.blocks.resize(1);  // by task only
  document.sections.push_back(std::move(accuracy));
  return document;
}

}  // namespace moebench
