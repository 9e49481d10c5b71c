#include "reports/run_report/load_report.h"

#include <set>

#include "reports/metrics/run_cost.h"
#include "reports/render/cells.h"
#include "reports/run_report/sections.h"

namespace moebench {
namespace {

std::int64_t failed_requests(const LoadedRun& run) {
  std::int64_t failed = 0;
  for (const SampleRecord& sample : run.samples) failed += !sample.failure.empty();
  return failed;
}

// Names a load among those of one report, whose prompts are the same.
std::string load_name(const RunRecord& run) {
  return run.load ? arrival_words(*run.load) : run.run_id;
}

// The latencies by the names that facts and records use; from the scheduled time where a request
// can have waited on our side.
struct NamedDistribution {
  const char* key;    // of the wide table: "ttft", with "_mean_ms" and so on after it
  const char* title;  // for people
  const char* unit;   // as a suffix of the key
  Distribution distribution;
};

std::vector<NamedDistribution> distributions(const LatencyMetrics& m) {
  return {{"scheduled_ttft", "TTFT from scheduled", "ms", m.scheduled_ttft_ms},
          {"scheduled_e2el", "E2EL from scheduled", "ms", m.scheduled_e2el_ms},
          {"queue", "wait in our queue", "ms", m.queue_ms},
          {"ttft", "TTFT", "ms", m.ttft_ms},
          {"ttfo", "TTFO", "ms", m.ttfo_ms},
          {"tpot", "TPOT", "ms", m.tpot_ms},
          {"itl", "ITL", "ms", m.itl_ms},
          {"e2el", "E2EL", "ms", m.e2el_ms},
          {"interactivity", "interactivity", "tokens_per_second_per_user",
           m.interactivity_tokens_per_second}};
}

class WideTable {
 public:
  void begin_row() { table_.rows.emplace_back(); }
  void text(const std::string& key, const std::string& value) {
    add(text_column(key, key), text_cell(value));
  }
  void number(const std::string& key, std::optional<double> value) {
    add(number_column(key, key), number_cell(value));
  }
  void count(const std::string& key, std::int64_t value) {
    add(number_column(key, key), count_cell(value));
  }
  Table take() { return std::move(table_); }

 private:
  void add(Column column, Cell cell) {
    if (table_.rows.size() == 1) table_.columns.push_back(std::move(column));
    table_.rows.back().push_back(std::move(cell));
  }
  Table table_;
};

Table throughput_by_load(std::span<const LoadedRun> runs, const RunReportOptions& options) {
  Table table;
  table.id = "load-throughput";
  table.caption = "Throughput";
  table.columns = {text_column("load", "load"),
                   number_column("requests", "requests"),
                   number_column("failed", "failed"),
                   secondary(number_column("wall_seconds", "wall", "s")),
                   number_column("requests_per_second", "requests", "1/s"),
                   number_column("output_tokens_per_second", "output", "tokens/s"),
                   secondary(number_column("total_tokens_per_second", "total", "tokens/s")),
                   number_column("interactivity_p50", "one user, p50", "tokens/s")};
  if (options.goodput) table.columns.push_back(number_column("goodput", "goodput", "1/s"));
  bool priced = false;
  for (const LoadedRun& run : runs) priced = priced || run_cost(run, options.usd_per_hour);
  if (priced) {
    table.columns.push_back(number_column("input_usd_per_million", "input", "USD/M"));
    table.columns.push_back(number_column("output_usd_per_million", "output", "USD/M"));
  }
  for (const LoadedRun& run : runs) {
    const ThroughputMetrics speed = throughput_metrics(run);
    const Distribution user = latency_metrics(run.samples).interactivity_tokens_per_second;
    const std::int64_t failed = failed_requests(run);
    Cell failures = count_cell(failed);
    if (failed > 0) failures.tone = Tone::kBad;
    table.rows.push_back(
        {text_cell(load_name(run.run)), count_cell(speed.tokens.requests), std::move(failures),
         number_cell(speed.wall_seconds), number_cell(speed.requests_per_second),
         number_cell(speed.output_tokens_per_second), number_cell(speed.total_tokens_per_second),
         user.count > 0 ? number_cell(user.p50) : unknown_cell()});
    if (options.goodput)
      table.rows.back().push_back(number_cell(
          goodput(run.samples, *options.goodput, speed.wall_seconds).requests_per_second));
    if (priced) {
      const auto cost = run_cost(run, options.usd_per_hour);
      table.rows.back().push_back(cost ? number_cell(cost->price.input_usd_per_million)
                                       : unknown_cell());
      table.rows.back().push_back(cost ? number_cell(cost->price.output_usd_per_million)
                                       : unknown_cell());
    }
  }
  table.note =
      "Output and total tokens over the wall time from the first issue to the last response. One "
      "user: interactivity, 1000 / TPOT of the median request.";
  if (options.goodput)
    table.note += " Goodput: requests/s that meet all of " + service_level_words(*options.goodput) +
                  ", from the scheduled time.";
  return table;
}

Table latency_by_load(std::span<const LoadedRun> runs) {
  Table table;
  table.id = "load-latency";
  table.caption = "Latency";
  table.columns = {text_column("load", "load"),   text_column("metric", "metric"),
                   text_column("unit", "unit"),   number_column("count", "n"),
                   number_column("mean", "mean"), number_column("p50", "p50"),
                   number_column("p90", "p90"),   number_column("p99", "p99")};
  for (const LoadedRun& run : runs) {
    for (const NamedDistribution& named : distributions(latency_metrics(run.samples))) {
      const Distribution& d = named.distribution;
      if (d.count == 0) continue;
      const std::string unit = std::string(named.unit) == "ms" ? "ms" : "tokens/s/user";
      table.rows.push_back({text_cell(load_name(run.run)), text_cell(named.title), text_cell(unit),
                            count_cell(static_cast<std::int64_t>(d.count)), number_cell(d.mean),
                            number_cell(d.p50), number_cell(d.p90), number_cell(d.p99)});
    }
  }
  table.note =
      "TTFT: first token - issue. TTFO: first token after the thinking - issue. TPOT: (E2EL - "
      "TTFT) "
      "/ (output tokens - 1). ITL: gaps between chunks, pooled. E2EL: last token - issue. From "
      "scheduled: with the wait in our own queue before the issue. Percentiles: " +
      (runs.empty() ? std::string("linear interpolation") : runs.front().run.percentile_method) +
      ".";
  return table;
}

}  // namespace

std::string arrival_words(const LoadRecord& load) {
  std::string words = load.arrivals;
  if (load.arrivals == "poisson") {
    words += " " + format_number(load.requests_per_second) + " requests/s";
    if (load.max_in_flight > 0)
      words += ", at most " + std::to_string(load.max_in_flight) + " in flight";
  } else if (load.max_in_flight > 0) {
    words += " " + std::to_string(load.max_in_flight);
  }
  return words;
}

std::string load_words(const LoadRecord& load) { return arrival_words(load) + ", " + load.prompts; }

Table load_figures(std::span<const LoadedRun> runs, const RunReportOptions& options) {
  WideTable wide;
  for (const LoadedRun& run : runs) {
    const RunRecord& record = run.run;
    const LoadRecord load = record.load.value_or(LoadRecord{});
    const ThroughputMetrics speed = throughput_metrics(run);
    wide.begin_row();
    wide.text("run_id", record.run_id);
    wide.text("label", run_label(record));
    wide.text("model", record.model.name);
    wide.text("model_sha256", record.model.sha256);
    wide.text("weights", record.model.weight_types);
    wide.text("engine", record.engine.name);
    wide.text("commit", record.build.commit);
    wide.text("device", record.engine.device);
    wide.text("isa", record.engine.isa);
    wide.count("threads", record.engine.threads);
    wide.text("arrivals", load.arrivals);
    wide.text("prompts", load.prompts);
    wide.number("offered_requests_per_second", load.requests_per_second > 0
                                                   ? std::optional(load.requests_per_second)
                                                   : std::nullopt);
    wide.count("max_in_flight", load.max_in_flight);
    wide.count("requests", speed.tokens.requests);
    wide.count("failed_requests", failed_requests(run));
    const auto again = count_retries(run.samples);
    wide.number("requests_retried",
                again ? std::optional(static_cast<double>(again->requests_retried)) : std::nullopt);
    wide.number("retries",
                again ? std::optional(static_cast<double>(again->retries)) : std::nullopt);
    wide.count("prompt_tokens", speed.tokens.prompt_tokens);
    wide.count("cached_tokens", speed.tokens.cached_tokens);
    wide.count("output_tokens", speed.tokens.output_tokens);
    wide.count("thinking_tokens", speed.tokens.thinking_tokens);
    wide.number("wall_seconds", speed.wall_seconds);
    wide.number("requests_per_second", speed.requests_per_second);
    wide.number("output_tokens_per_second", speed.output_tokens_per_second);
    wide.number("total_tokens_per_second", speed.total_tokens_per_second);
    wide.number("prefill_tokens_per_second", speed.prefill_tokens_per_second);
    wide.number("decode_tokens_per_second", speed.decode_tokens_per_second);
    for (const NamedDistribution& named : distributions(latency_metrics(run.samples))) {
      const Distribution& d = named.distribution;
      const auto value = [&](const char* which, double v) {
        wide.number(std::string(named.key) + "_" + which + "_" + named.unit,
                    d.count > 0 ? std::optional(v) : std::nullopt);
      };
      value("mean", d.mean);
      value("p50", d.p50);
      value("p90", d.p90);
      value("p99", d.p99);
    }
    if (options.goodput) {
      const Goodput good = goodput(run.samples, *options.goodput, speed.wall_seconds);
      wide.text("goodput_limits", service_level_words(*options.goodput));
      wide.count("good_requests", good.good_requests);
      wide.number("goodput_requests_per_second", good.requests_per_second);
    }
    const auto cost = run_cost(run, options.usd_per_hour);
    wide.number("input_usd_per_million",
                cost ? std::optional(cost->price.input_usd_per_million) : std::nullopt);
    wide.number("output_usd_per_million",
                cost ? std::optional(cost->price.output_usd_per_million) : std::nullopt);
    std::optional<double> joules;
    for (const EnergyReading& reading : record.energy) joules = joules.value_or(0) + reading.joules;
    wide.number("energy_joules", joules);
    wide.number("peak_memory_bytes", record.peak_memory_bytes
                                         ? std::optional(double(*record.peak_memory_bytes))
                                         : std::nullopt);
    wide.text("kind", to_string(Provenance::kMeasured));
  }
  Table table = wide.take();
  table.id = "load";
  return table;
}

Document build_load_report(std::span<const LoadedRun> runs, const RunReportOptions& options) {
  Document document;
  document.title = runs.empty() ? "Load test" : run_label(runs.front().run) + ": load test";
  if (!runs.empty()) {
    const RunRecord& record = runs.front().run;
    document.subtitle = record.engine.name + " on " + record.engine.device;
    if (!record.environment.cpu.empty()) document.subtitle += " (" + record.environment.cpu + ")";
    document.subtitle += ", " + record.started_utc;
    if (record.load) document.subtitle += "; " + record.load->prompts;
  }
  std::set<std::string> warnings;
  for (const LoadedRun& run : runs)
    warnings.insert(run.run.warnings.begin(), run.run.warnings.end());
  if (!warnings.empty()) {
    Section notes{"notes", "To keep in mind", {}};
    for (const std::string& warning : warnings)
      notes.blocks.push_back(Paragraph{warning, Tone::kUncertain});
    document.sections.push_back(std::move(notes));
  }
  Section section{"load", "Load", {}};
  section.blocks.push_back(throughput_by_load(runs, options));
  section.blocks.push_back(latency_by_load(runs));
  document.sections.push_back(std::move(section));
  return document;
}

}  // namespace moebench
