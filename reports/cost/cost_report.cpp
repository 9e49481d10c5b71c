#include "reports/cost/cost_report.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/base/error.h"
#include "reports/metrics/run_cost.h"
#include "reports/metrics/throughput.h"
#include "reports/render/cells.h"
#include "reports/run_report/run_report.h"

namespace moebench {
namespace {

std::string whole_text(double count) {
  return count == std::floor(count) ? format_count(static_cast<std::int64_t>(count))
                                    : format_number(count);
}

std::string million(double tokens) { return format_number(tokens / 1e6) + " M"; }

struct GpuPrice {
  double usd_per_hour = 0;  // of one
  std::string words;
};

GpuPrice gpu_price(const Catalog& catalog, const CostQuestion& q) {
  const Device& device = catalog.device(q.gpu);
  if (q.usd_per_gpu_hour) return {*q.usd_per_gpu_hour, "given"};
  const GpuHourPrice* listed = catalog.gpu_hour(device.id);
  if (!listed)
    throw Error(ErrorCode::kUsage, "the catalogue has no price of a " + device.name + " hour",
                "give it with --usd-per-gpu-hour");
  return {listed->usd_per_gpu_hour, listed->kind + ", " + listed->source + ", " + listed->as_of};
}

// A machine that is paid for all month, and what it does in a second of prefill or of decode alone.
struct HeldMachine {
  double usd_per_hour = 0, prefill_tokens_per_second = 0, decode_tokens_per_second = 0;
};

// One table a year, as everywhere with prices.
void add_break_even(Section& section, const std::string& id, const Catalog& catalog,
                    const Workload& workload, const HeldMachine& machine, Provenance provenance) {
  std::set<std::string> years;
  for (const ApiPrice& price : catalog.api_prices) years.insert(price.year());
  for (const std::string& year : years) {
    Table even;
    even.id = "break-even-" + id + "-" + year;
    even.caption = "Where this machine, held all month, is cheaper than an API of " + year;
    even.provenance = provenance;
    even.columns = {text_column("api", "against"),
                    number_column("machine_usd", "machine", "USD/month"),
                    number_column("api_usd", "the workload there", "USD/month"),
                    number_column("load_factor", "break-even", "x the workload"),
                    number_column("output_tokens", "output then", "M tokens/month"),
                    text_column("reachable", "can the machine do that?")};
    for (const ApiPrice& price : catalog.api_prices) {
      if (price.year() != year) continue;
      const BreakEven b =
          break_even(workload, token_price(price), machine.usd_per_hour,
                     machine.prefill_tokens_per_second, machine.decode_tokens_per_second);
      even.rows.push_back(
          {text_cell(price.model), number_cell(b.machine_usd_per_month),
           number_cell(b.api_usd_per_month), number_cell(b.load_factor),
           number_cell(b.output_tokens / 1e6),
           b.reachable()
               ? text_cell("yes", Tone::kGood)
               : text_cell("no, at most " + format_number(b.capacity_factor) + " x the workload",
                           Tone::kBad)});
    }
    section.blocks.push_back(std::move(even));
  }
}

Section runs_section(const Catalog& catalog, const CostQuestion& q) {
  Section section{"runs", "What the runs' tokens cost", {}};
  Table table;
  table.id = "run-costs";
  table.caption = "Measured runs";
  table.columns = {text_column("run", "run"),
                   number_column("usd_per_hour", "machine", "USD/h"),
                   number_column("input_usd_per_million", "input", "USD/M"),
                   number_column("output_usd_per_million", "output", "USD/M"),
                   number_column("usd_per_question", "a question", "USD"),
                   number_column("usd_per_correct", "a correct answer", "USD"),
                   number_column("monthly_usd", "the workload", "USD/month")};
  std::set<std::string> rules;
  std::optional<HeldMachine> held;  // of the first run that tells its speed...
  std::string held_by;              // ...which is this one
  std::optional<double> usd_per_hour = q.usd_per_hour;
  if (q.gpu_prices_runs) {
    const GpuPrice price = gpu_price(catalog, q);
    usd_per_hour = price.usd_per_hour * q.plan.gpus;
    section.blocks.push_back(Paragraph{
        "The runs' machine is priced as " + whole_text(q.plan.gpus) + " x " +
            catalog.device(q.gpu).name + " at " + format_number(price.usd_per_hour) +
            " USD a GPU-hour (" + price.words + "). Nothing checks that it was such a machine.",
        Tone::kUncertain});
  }
  if (q.owned) usd_per_hour = owned_usd_per_used_hour(*q.owned);
  for (const LoadedRun& run : q.runs) {
    const auto cost = run_cost(run, usd_per_hour);
    if (!cost) {
      section.blocks.push_back(Paragraph{
          run_label(run.run) + ": no cost, for want of a price (--usd-per-hour) or of any output.",
          Tone::kUncertain});
      continue;
    }
    rules.insert(cost->rule);
    const ThroughputMetrics speed = throughput_metrics(run);
    if (!held && speed.prefill_tokens_per_second && speed.decode_tokens_per_second) {
      held = HeldMachine{cost->usd_per_hour, *speed.prefill_tokens_per_second,
                         *speed.decode_tokens_per_second};
      held_by = run_label(run.run);
    }
    const AnswerCost answer = answer_cost(run.samples, "", cost->price);
    table.rows.push_back(
        {text_cell(run_label(run.run)), number_cell(cost->usd_per_hour),
         number_cell(cost->price.input_usd_per_million),
         number_cell(cost->price.output_usd_per_million), number_cell(answer.usd_per_question),
         answer.usd_per_correct
             ? interval_cell(*answer.usd_per_correct, answer.usd_per_correct_interval)
             : text_cell("none correct", Tone::kUncertain),
         number_cell(monthly_usd(q.workload, cost->price))});
  }
  for (const std::string& rule : rules)
    table.note += (table.note.empty() ? "Allocation: " : "; ") + rule;
  if (!table.rows.empty()) section.blocks.push_back(std::move(table));
  if (held) {
    section.blocks.push_back(
        Paragraph{"Below: " + held_by +
                      "'s machine, at the speed of that run, against what the APIs charge. "
                      "An API's model and the measured one differ in what they can do; this "
                      "compares tokens alone.",
                  Tone::kNeutral});
    add_break_even(section, "run", catalog, q.workload, *held, Provenance::kMeasured);
  }
  if (q.owned)
    section.blocks.push_back(Paragraph{
        "The machine is owned: " + format_usd(q.owned->capital_usd) + " USD over " +
            format_number(q.owned->life_years) + " years, " + format_number(q.owned->kilowatts) +
            " kW at " + format_number(q.owned->usd_per_kwh) + " USD/kWh and PUE " +
            format_number(q.owned->overhead_of_power) + ", upkeep " +
            format_percent(q.owned->yearly_upkeep_of_capital) + " % of the capital a year, used " +
            format_percent(q.owned->utilisation) + " % of the hours: " +
            format_usd(owned_usd_per_used_hour(*q.owned)) + " USD per hour of use.",
        Tone::kNeutral});
  return section;
}

// One table a year: prices of different years don't belong side by side.
Section api_section(const Catalog& catalog, const CostQuestion& q) {
  Section section{"apis", "The APIs' prices, and the workload on each", {}};
  section.blocks.push_back(Paragraph{
      "The workload: " + million(q.workload.input_tokens) + " input tokens (" +
          format_percent(q.workload.cached_share, 0) + " % cached) and " +
          million(q.workload.output_tokens) +
          " output tokens a month, the same number for every model. A reasoning model writes more "
          "tokens for the same question, so compare per question where you can.",
      Tone::kNeutral});
  std::set<std::string> years;
  for (const ApiPrice& price : catalog.api_prices) years.insert(price.year());
  for (const std::string& year : years) {
    Table table;
    table.id = "api-" + year;
    table.caption = "Prices of " + year;
    table.provenance = Provenance::kPublished;
    table.columns = {text_column("model", "model"),
                     number_column("cached_usd_per_million", "cached", "USD/M"),
                     number_column("input_usd_per_million", "input", "USD/M"),
                     number_column("output_usd_per_million", "output", "USD/M"),
                     number_column("monthly_usd", "the workload", "USD/month"),
                     text_column("as_of", "as of"),
                     text_column("mark", "mark"),
                     text_column("source", "source")};
    for (const ApiPrice& price : catalog.api_prices)
      if (price.year() == year)
        table.rows.push_back(
            {text_cell(price.model), number_cell(price.cached_input_usd_per_million),
             number_cell(price.input_usd_per_million), number_cell(price.output_usd_per_million),
             number_cell(monthly_usd(q.workload, token_price(price))),
             text_cell(price.valid.empty() ? price.as_of : price.valid), text_cell(price.mark),
             text_cell(price.source)});
    section.blocks.push_back(std::move(table));
  }
  section.blocks.push_back(Paragraph{
      "Marks: V read in the primary text, S on a secondary page, R recalled and not verified.",
      Tone::kNeutral});
  return section;
}

Section gpu_section(const Catalog& catalog) {
  Section section{"gpus", "GPU-hours", {}};
  std::set<std::string> vintages;
  for (const GpuHourPrice& price : catalog.gpu_hours) vintages.insert(price.as_of);
  for (const std::string& vintage : vintages) {
    Table table;
    table.id = "gpu-hours-" + vintage;
    table.caption = "Prices of " + vintage;
    table.provenance = Provenance::kPublished;
    table.columns = {text_column("device", "device"),
                     text_column("kind", "kind"),
                     number_column("usd_per_gpu_hour", "price", "USD/GPU-hour"),
                     number_column("all_in_kw", "all-in power", "kW"),
                     text_column("mark", "mark"),
                     text_column("source", "source")};
    for (const GpuHourPrice& price : catalog.gpu_hours)
      if (price.as_of == vintage)
        table.rows.push_back({text_cell(price.device), text_cell(price.kind),
                              number_cell(price.usd_per_gpu_hour), number_cell(price.all_in_kw),
                              text_cell(price.mark), text_cell(price.source)});
    section.blocks.push_back(std::move(table));
  }
  return section;
}

Section projection_section(const Catalog& catalog, const CostQuestion& q) {
  Section section{"projection", "Projection", {}};
  const Device& device = catalog.device(q.gpu);
  const Projection p = project(catalog, *q.project, device, q.plan);
  const GpuPrice hour = gpu_price(catalog, q);
  const double usd = hour.usd_per_hour;
  const double decode_usd = usd_per_million(usd, p.decode_tokens_per_second_per_gpu);
  const double prefill_usd = usd_per_million(usd, p.prefill_tokens_per_second_per_gpu);
  double worst = 0;
  for (const auto& anchor : p.efficiency.anchors)
    if (anchor.role == "held-out") worst = std::max(worst, std::fabs(anchor.error()));
  section.blocks.push_back(Paragraph{
      "Projected, not measured: " + q.project->id + " on " + whole_text(q.plan.gpus) + " x " +
          device.name + ". Held-out anchors are missed by up to " + format_percent(worst, 0) +
          " %; take the figures with at least that much doubt.",
      Tone::kUncertain});
  Table table;
  table.id = "projected";
  table.caption = "Throughput and cost";
  table.provenance = Provenance::kProjected;
  table.columns = {text_column("phase", "phase"),
                   number_column("batch_per_gpu", "in flight", "tokens/GPU"),
                   number_column("memory_ms", "memory", "ms"),
                   number_column("compute_ms", "compute", "ms"),
                   number_column("link_ms", "links", "ms"),
                   text_column("bound", "bound by"),
                   number_column("roofline_tokens_per_second", "roofline", "tokens/s/GPU"),
                   number_column("efficiency_percent", "efficiency", "%"),
                   number_column("tokens_per_second", "projected", "tokens/s/GPU"),
                   number_column("usd_per_million", "cost", "USD/M")};
  const auto row = [&](const char* name, const PhaseRoofline& r, double efficiency, double speed,
                       double cost) {
    table.rows.push_back({text_cell(name), number_cell(r.batch_per_gpu),
                          number_cell(r.memory_seconds * 1e3), number_cell(r.compute_seconds * 1e3),
                          number_cell(r.link_seconds * 1e3), text_cell(r.bound),
                          number_cell(r.tokens_per_second_per_gpu), percent_cell(efficiency),
                          number_cell(speed), number_cell(cost)});
  };
  row("prefill", p.prefill, p.efficiency.prefill, p.prefill_tokens_per_second_per_gpu, prefill_usd);
  row("decode", p.decode, p.efficiency.decode, p.decode_tokens_per_second_per_gpu, decode_usd);
  table.note = "At " + format_number(usd) + " USD a GPU-hour (" + hour.words +
               "), the whole GPU charged to the phase it does. Context " +
               format_number(q.plan.context_tokens) + " tokens; one user decodes at " +
               format_number(p.interactivity_tokens_per_second) +
               " tokens/s; a decode step reaches " + format_number(p.decode.distinct_experts) +
               " of " + format_number(q.project->experts) +
               " experts a layer. Attention data-parallel, experts spread over the GPUs; memory, "
               "compute and "
               "links overlap fully at the roofline.";
  section.blocks.push_back(std::move(table));
  Table anchors;
  anchors.id = "anchors";
  anchors.caption = "What the efficiency was fitted on, and what it misses";
  anchors.provenance = Provenance::kProjected;
  anchors.columns = {text_column("anchor", "anchor"),
                     text_column("phase", "phase"),
                     text_column("role", "role"),
                     number_column("published", "published", "tokens/s/GPU"),
                     number_column("projected", "projected", "tokens/s/GPU"),
                     number_column("error_percent", "error", "%"),
                     text_column("source", "source")};
  for (const auto& anchor : p.efficiency.anchors) {
    Cell error = percent_cell(anchor.error());
    if (anchor.error() > 0) error.text = "+" + error.text;
    anchors.rows.push_back({text_cell(anchor.id), text_cell(anchor.phase), text_cell(anchor.role),
                            number_cell(anchor.measured), number_cell(anchor.projected),
                            std::move(error), text_cell(anchor.source)});
  }
  anchors.note = "Newest anchor: " + p.efficiency.as_of + ".";
  section.blocks.push_back(std::move(anchors));

  add_break_even(section, "projected", catalog, q.workload,
                 {usd * q.plan.gpus, p.prefill_tokens_per_second_per_gpu * q.plan.gpus,
                  p.decode_tokens_per_second_per_gpu * q.plan.gpus},
                 Provenance::kProjected);
  section.blocks.push_back(Paragraph{
      "The GPUs are charged at the price above, whatever the API's year. An API's model and the "
      "projected one differ in what they can do; this compares tokens alone.",
      Tone::kNeutral});
  return section;
}

Section check_section(const Catalog& catalog) {
  Section section{"check", "Do published figures come out of this catalogue?", {}};
  const ServingDay& day = catalog.deepseek_day;
  const ApiPrice* list = catalog.api_price(day.price_model);
  if (!list) return section;
  const ServingDayCheck check = check_serving_day(day, *list);
  Table table;
  table.id = "deepseek-day";
  table.caption = "A day of serving DeepSeek V3 and R1";
  table.provenance = Provenance::kPublished;
  table.columns = {text_column("figure", "figure"), text_column("unit", "unit"),
                   number_column("computed", "computed here"), number_column("stated", "stated")};
  const auto row = [&](const char* name, const char* unit, double computed,
                       std::optional<double> stated, int significant) {
    table.rows.push_back({text_cell(name), text_cell(unit), number_cell(computed, significant),
                          number_cell(stated, significant)});
  };
  row("cost of a day", "USD", check.cost_usd, day.stated_cost_usd, 5);
  row("income at R1's list price", "USD", check.income_usd, day.stated_income_usd, 6);
  row("margin, on the stated income", "%", check.margin_percent, day.stated_margin_percent, 4);
  row("margin, on the computed income", "%", check.margin_from_tokens_percent,
      day.stated_margin_percent, 4);
  row("decode, a node doing nothing else", "USD/M output", check.decode_usd_per_million, {}, 3);
  row("prefill, a node doing nothing else", "USD/M input", check.prefill_usd_per_million, {}, 3);
  row("nodes busy with prefill and decode", "nodes", check.prefill_nodes + check.decode_nodes,
      day.nodes, 4);
  table.note =
      day.source + ", " + day.as_of +
      ". The token counts are stated in billions, so the income differs by their rounding.";
  section.blocks.push_back(std::move(table));
  const ApiPrice *o1 = catalog.api_price("OpenAI o1"), *r1 = catalog.api_price("DeepSeek-R1");
  if (o1 && r1)
    section.blocks.push_back(
        Paragraph{"OpenAI o1 over DeepSeek-R1, list prices of 2025: " +
                      format_fixed(o1->input_usd_per_million / r1->input_usd_per_million, 1) +
                      " times for input, " +
                      format_fixed(o1->output_usd_per_million / r1->output_usd_per_million, 1) +
                      " times for output.",
                  Tone::kNeutral});
  return section;
}

}  // namespace

Document build_cost_report(const Catalog& catalog, const CostQuestion& question) {
  const Workload& w = question.workload;
  if (!(w.input_tokens >= 0 && w.output_tokens >= 0 && w.cached_share >= 0 && w.cached_share <= 1))
    throw Error(ErrorCode::kUsage,
                "tokens a month can't be negative, nor a cached share outside of 0 to 1");
  Document document;
  document.title = "Cost";
  document.subtitle = "Measured, projected and published figures, each marked as what it is";
  if (!question.runs.empty()) document.sections.push_back(runs_section(catalog, question));
  if (question.project) document.sections.push_back(projection_section(catalog, question));
  document.sections.push_back(api_section(catalog, question));
  document.sections.push_back(gpu_section(catalog));
  document.sections.push_back(check_section(catalog));
  return document;
}

}  // namespace moebench
