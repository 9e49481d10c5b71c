#include "reports/metrics/throughput.h"
#include "reports/render/cells.h"
#include "reports/run_report/load_report.h"
#include "reports/run_report/sections.h"

namespace moebench {
namespace {

Table throughput_table(const LoadedRun& run, const RunReportOptions& options) {
  const ThroughputMetrics speed = throughput_metrics(run);
  Table table;
  table.id = "throughput";
  table.caption = "Throughput";
  table.columns = {text_column("what", ""), number_column("value", "value"),
                   text_column("unit", "unit"), text_column("definition", "definition")};
  const auto add = [&](const char* what, Cell value, const char* unit, std::string definition) {
    table.rows.push_back(
        {text_cell(what), std::move(value), text_cell(unit), text_cell(std::move(definition))});
  };
  add("prefill", number_cell(speed.prefill_tokens_per_second), "tokens/s",
      "prompt tokens computed / time in prefill passes");
  add("decode", number_cell(speed.decode_tokens_per_second), "tokens/s",
      "tokens generated / time in decode passes");
  add("output throughput", number_cell(speed.output_tokens_per_second), "tokens/s",
      "output tokens / wall time around all requests");
  add("total throughput", number_cell(speed.total_tokens_per_second), "tokens/s",
      "prompt and output tokens / wall time");
  add("requests", number_cell(speed.requests_per_second), "1/s", "requests / wall time");
  if (const auto again = count_retries(run.samples)) {
    add("requests asked again", count_cell(again->requests_retried), "requests",
        "as a server or a worker failed; the time of what broke is within their latency");
    add("further attempts at them", count_cell(again->retries), "attempts", "retries");
  }
  if (options.goodput) {
    const Goodput good = goodput(run.samples, *options.goodput, wall_seconds(run.samples));
    add("goodput", number_cell(good.requests_per_second), "1/s",
        format_count(good.good_requests) + " of " + format_count(good.requests) +
            " requests meet all of " + service_level_words(*options.goodput) +
            ", from the scheduled time / wall time");
  }
  add("wall time", number_cell(speed.wall_seconds), "s",
      "first issue to last response, summed over segments");
  add("prompt tokens", count_cell(speed.tokens.prompt_tokens), "tokens", "cached ones included");
  add("of them cached", count_cell(speed.tokens.cached_tokens), "tokens",
      "found in the prefix cache");
  add("output tokens", count_cell(speed.tokens.output_tokens), "tokens", "thinking included");
  add("of them thinking", count_cell(speed.tokens.thinking_tokens), "tokens",
      "up to and with the closing tag");
  const auto phases = phase_time(run);
  if (phases) {
    table.note = "Division of time: " + phases->rule + ".";
    if (!phases->from_steps)
      table.note += " Prefill and decode tokens/s are not stated for such an engine.";
  }
  return table;
}

Table latency_table(const LoadedRun& run) {
  const LatencyMetrics metrics = latency_metrics(run.samples);
  Table table;
  table.id = "latency";
  table.caption = "Latency";
  table.columns = {text_column("metric", "metric"), text_column("unit", "unit"),
                   number_column("count", "n"),     number_column("mean", "mean"),
                   number_column("p50", "p50"),     number_column("p90", "p90"),
                   number_column("p99", "p99"),     number_column("max", "max")};
  const auto add = [&](const char* name, const char* unit, const Distribution& d) {
    if (d.count == 0) return;
    table.rows.push_back({text_cell(name), text_cell(unit),
                          count_cell(static_cast<std::int64_t>(d.count)), number_cell(d.mean),
                          number_cell(d.p50), number_cell(d.p90), number_cell(d.p99),
                          number_cell(d.max)});
  };
  add("TTFT", "ms", metrics.ttft_ms);
  add("TTFO", "ms", metrics.ttfo_ms);
  add("TPOT", "ms", metrics.tpot_ms);
  add("ITL", "ms", metrics.itl_ms);
  add("E2EL", "ms", metrics.e2el_ms);
  if (metrics.queue_ms.max > 0) {
    add("queue wait", "ms", metrics.queue_ms);
    add("TTFT from scheduled", "ms", metrics.scheduled_ttft_ms);
    add("E2EL from scheduled", "ms", metrics.scheduled_e2el_ms);
  }
  add("interactivity", "tokens/s/user", metrics.interactivity_tokens_per_second);
  table.note =
      "TTFT: first token - request start. TTFO: first token after the thinking - request start. "
      "TPOT: (E2EL - TTFT) / (output tokens - 1) of each request with at least 2. ITL: gaps "
      "between "
      "chunks, pooled over all requests. E2EL: last token - request start. Interactivity: 1000 / "
      "TPOT. Percentiles: " +
      run.run.percentile_method + ".";
  return table;
}

Table utilisation_table(const RunRecord& run, const std::vector<Utilisation>& rows) {
  Table table;
  table.id = "utilisation";
  table.caption = "What the machine gave";
  table.columns = {text_column("pass", "pass"), number_column("gb_per_second", "traffic", "GB/s"),
                   number_column("s_mbu_percent", "S-MBU", "%"),
                   number_column("gflops", "compute", "GFLOP/s"),
                   number_column("s_mfu_percent", "S-MFU", "%")};
  for (const Utilisation& u : rows)
    table.rows.push_back({text_cell(u.kind), number_cell(u.bytes_per_second / 1e9),
                          u.s_mbu ? percent_cell(*u.s_mbu) : unknown_cell(),
                          number_cell(u.flops_per_second / 1e9),
                          u.s_mfu ? percent_cell(*u.s_mfu) : unknown_cell()});
  table.note =
      "S-MBU: bytes of the experts that a pass touched (once each), of the other weights and of "
      "the "
      "KV cache read, over its time and the memory's peak. S-MFU: FLOPs of what was touched over "
      "its time and the dense peak. " +
      (run.environment.peak_source.empty() ? std::string("The machine's peaks are not known.")
                                           : "Peaks: " + run.environment.peak_source + ".");
  return table;
}

}  // namespace

Section speed_section(const LoadedRun& run, const RunReportOptions& options) {
  Section section{"speed", "Speed", {}};
  if (run.run.load)
    section.blocks.push_back(
        Paragraph{"A load test: " + load_words(*run.run.load) + ".", Tone::kNeutral});
  section.blocks.push_back(throughput_table(run, options));
  if (Table latency = latency_table(run); !latency.rows.empty())
    section.blocks.push_back(std::move(latency));
  if (const auto rows = utilisation(run.run); !rows.empty())
    section.blocks.push_back(utilisation_table(run.run, rows));
  Table other;
  other.id = "resources";
  other.caption = "Memory and energy";
  other.columns = {text_column("what", ""), number_column("value", "value"),
                   text_column("unit", "unit")};
  if (run.run.peak_memory_bytes)
    other.rows.push_back({text_cell("peak memory"),
                          number_cell(static_cast<double>(*run.run.peak_memory_bytes) / 1e6),
                          text_cell("MB")});
  const TokenTotals tokens = count_tokens(run.samples);
  for (const EnergyReading& reading : run.run.energy) {
    other.rows.push_back(
        {text_cell("energy, " + reading.meter), number_cell(reading.joules), text_cell("J")});
    if (tokens.output_tokens > 0)
      other.rows.push_back({text_cell("energy per output token, " + reading.meter),
                            number_cell(reading.joules / static_cast<double>(tokens.output_tokens)),
                            text_cell("J")});
  }
  other.note = run.run.energy_note.empty() && run.run.energy.empty()
                   ? "No energy meter was readable; energy is not known."
                   : run.run.energy_note;
  if (run.run.overhead) {
    other.rows.push_back({text_cell("harness overhead per request"),
                          number_cell(run.run.overhead->ms_per_request), text_cell("ms")});
    Cell share = percent_cell(run.run.overhead->fraction_of_run, 2);
    if (run.run.overhead->fraction_of_run > 0.01) share.tone = Tone::kBad;
    other.rows.push_back({text_cell("harness overhead"), share, text_cell("% of the run")});
  }
  if (!other.rows.empty()) section.blocks.push_back(std::move(other));
  return section;
}

}  // namespace moebench
