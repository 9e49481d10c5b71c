#include <algorithm>
#include <set>

#include "reports/compare/sections.h"
#include "reports/metrics/accuracy.h"
#include "reports/metrics/latency.h"
#include "reports/render/cells.h"
#include "reports/run_report/sections.h"

namespace moebench {
namespace {

Interval percent(const Interval& interval) { return {interval.low * 100, interval.high * 100}; }

// A point is on the front where no other is at least as good in both and better in one.
void mark_front(std::vector<ScatterPlot::Point>& points, bool smaller_x_is_better) {
  for (auto& point : points) {
    point.on_front = true;
    for (const auto& other : points) {
      const double dx = smaller_x_is_better ? point.x - other.x : other.x - point.x;
      const double dy = other.y - point.y;
      if (dx >= 0 && dy >= 0 && (dx > 0 || dy > 0)) point.on_front = false;
    }
  }
}

Table points_table(const ScatterPlot& plot, const std::string& id, const std::string& x_key,
                   const std::string& y_key) {
  Table table;
  table.id = id;
  table.columns = {text_column("run", "run"), number_column(x_key, plot.x.title, plot.x.unit),
                   number_column(y_key, plot.y.title, plot.y.unit)};
  const bool front = std::any_of(plot.points.begin(), plot.points.end(),
                                 [](const auto& point) { return point.on_front; });
  if (front) table.columns.push_back(text_column("front", "on the front"));
  for (const auto& point : plot.points) {
    const auto cell = [](double value, const std::optional<Interval>& interval) {
      return interval ? interval_cell(value, *interval) : number_cell(value);
    };
    table.rows.push_back(
        {text_cell(point.label), cell(point.x, point.x_interval), cell(point.y, point.y_interval)});
    if (front) table.rows.back().push_back(text_cell(point.on_front ? "yes" : "no"));
  }
  return table;
}

// Below a cent the axis counts in micro-USD, as the table's column does.
void show_small_usd(Axis& axis, std::vector<ScatterPlot::Point>& points) {
  if (axis.unit != "USD") return;
  const auto small = [](const auto& point) { return point.x < kSmallUsd; };
  if (!std::all_of(points.begin(), points.end(), small)) return;
  axis.unit = "micro-USD";
  for (auto& point : points) point.x *= 1e6;
}

}  // namespace

Section trade_off_section(const ComparedRuns& compared) {
  Section section{"trade-offs", "Accuracy, cost and performance together", {}};
  ScatterPlot pareto, serving, thinking;
  pareto.x = {
      .title = "cost of a question", .unit = "USD", .logarithmic = true, .min = {}, .max = {}};
  serving.x = {.title = "interactivity",
               .unit = "tokens/s/user",
               .logarithmic = false,
               .min = {},
               .max = {}};
  thinking.x = {.title = "mean output, thinking included",
                .unit = "tokens",
                .logarithmic = true,
                .min = {},
                .max = {}};
  pareto.y =
      thinking.y = {.title = "accuracy", .unit = "%", .logarithmic = false, .min = {}, .max = {}};
  serving.y = {.title = "output throughput",
               .unit = "tokens/s/device",
               .logarithmic = false,
               .min = {},
               .max = {}};
  bool any_thinking = false;
  RadarPlot radar;
  radar.axes = {"accuracy", "cost", "performance"};
  Table radar_table;
  radar_table.id = "cap";
  radar_table.columns = {text_column("run", "run"),
                         number_column("accuracy_percent", "accuracy", "%"),
                         number_column("usd_per_question", "a question", "USD"),
                         number_column("output_tokens_per_second", "output", "tokens/s")};
  struct Cap {
    double accuracy, usd, speed;
  };
  std::vector<std::optional<Cap>> caps;
  for (std::size_t r = 0; r < compared.runs.size(); ++r) {
    const LoadedRun& run = compared.runs[r];
    const std::string& label = compared.labels[r];
    const ProportionEstimate accuracy = overall_accuracy(run);
    const ThroughputMetrics speed = throughput_metrics(run);
    const LatencyMetrics latency = latency_metrics(run.samples);
    const auto& cost = compared.costs[r];
    const double attempts = static_cast<double>(run.samples.size());
    caps.emplace_back();
    if (attempts == 0) continue;
    if (latency.interactivity_tokens_per_second.count > 0) {
      ScatterPlot::Point at;
      at.label = at.series = label;
      at.x = latency.interactivity_tokens_per_second.p50;
      at.y = speed.output_tokens_per_second /
             static_cast<double>(std::max<std::int64_t>(1, run.run.engine.devices));
      serving.points.push_back(at);
    }
    if (run.run.load) continue;  // nothing graded: no accuracy to trade
    ScatterPlot::Point point;
    point.label = point.series = label;
    point.y = accuracy.value * 100;
    point.y_interval = percent(accuracy.interval);
    if (cost) {
      const AnswerCost answer = answer_cost(run.samples, "", cost->price, {.resamples = 1});
      point.x = answer.usd_per_question;
      pareto.points.push_back(point);
      if (speed.output_tokens_per_second > 0) {
        caps.back() = Cap{accuracy.value, point.x, speed.output_tokens_per_second};
        radar_table.rows.push_back({text_cell(label), percent_cell(accuracy.value),
                                    number_cell(point.x),
                                    number_cell(speed.output_tokens_per_second)});
      }
    }
    any_thinking = any_thinking || speed.tokens.thinking_tokens > 0;
    point.x = static_cast<double>(speed.tokens.output_tokens) / attempts;
    point.series = run.run.model.name;
    if (point.x > 0) thinking.points.push_back(point);
  }
  const auto add = [&](ScatterPlot& plot, const char* id, const char* caption, const char* x_key,
                       const char* y_key, const char* note) {
    if (plot.points.empty()) return;
    Figure figure;
    figure.id = std::string(id) + "-plot";
    figure.caption = caption;
    figure.table = points_table(plot, id, x_key, y_key);
    figure.table.note = note;
    show_small_usd(plot.x, plot.points);
    figure.plot = std::move(plot);
    section.blocks.push_back(std::move(figure));
  };
  mark_front(pareto.points, true);
  mark_front(serving.points, false);
  add(pareto, "pareto", "Accuracy against cost", "usd_per_question", "accuracy_percent",
      "Filled and joined: the Pareto front, where nothing else is both cheaper and more accurate. "
      "Over all tasks of a run.");
  add(serving, "serving", "Throughput against interactivity", "interactivity_tokens_per_second",
      "output_tokens_per_second", "Interactivity: 1000 / TPOT of the median request.");
  if (any_thinking || thinking.points.size() > 2)
    add(thinking, "thinking", "Accuracy against the length of the answers", "mean_output_tokens",
        "accuracy_percent",
        "Mean tokens that a question was given, whatever the budget; one colour a model.");
  double best_usd = 0, best_speed = 0, best_accuracy = 0;
  for (const auto& cap : caps)
    if (cap) {
      best_usd = best_usd == 0 ? cap->usd : std::min(best_usd, cap->usd);
      best_speed = std::max(best_speed, cap->speed);
      best_accuracy = std::max(best_accuracy, cap->accuracy);
    }
  for (std::size_t r = 0; r < caps.size(); ++r)
    if (caps[r] && best_accuracy > 0 && caps[r]->usd > 0)
      radar.series.push_back({compared.labels[r],
                              {caps[r]->accuracy / best_accuracy, best_usd / caps[r]->usd,
                               caps[r]->speed / best_speed}});
  if (radar.series.size() > 1) {
    Figure figure;
    figure.id = "cap-plot";
    figure.caption = "Cost, accuracy and performance (CAP)";
    figure.table = std::move(radar_table);
    figure.table.note =
        "Each axis is relative to the best of these runs, which is at its end; for cost, the "
        "cheapest question over this one.";
    figure.plot = std::move(radar);
    section.blocks.push_back(std::move(figure));
  }
  return section;
}

Section experts_comparison_section(const ComparedRuns& compared) {
  Section section{"experts", "Experts", {}};
  for (std::size_t r = 0; r < compared.runs.size(); ++r)
    if (!compared.runs[r].run.expert_load.empty()) {
      Figure figure =
          expert_load_figure(compared.runs[r].run, "expert-load-" + std::to_string(r + 1));
      figure.caption = "Tokens routed to each expert, by layer: " + compared.labels[r];
      section.blocks.push_back(std::move(figure));
    }
  return section;
}

}  // namespace moebench
