#include "reports/history/trend.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "reports/render/cells.h"

namespace moebench {
namespace {

constexpr std::size_t kMostValues = 2000;  // of one series; the newest count
constexpr double kAccuracyEffect = 0.03;

std::string short_commit(const HistoryRun& run) {
  const std::string commit = run.commit.empty() ? "unknown commit" : run.commit.substr(0, 12);
  return run.modified_tree ? commit + " (modified)" : commit;
}

Table values_table(const Trend& trend, std::size_t number) {
  Table table;
  table.id = "history-" + std::to_string(number) + "-" + trend.figure;
  table.caption = trend.figure;
  table.columns = {number_column("run", "run"), text_column("started_utc", "started"),
                   text_column("commit", "commit"), number_column(trend.figure, trend.figure)};
  for (std::size_t i = 0; i < trend.values.size(); ++i)
    table.rows.push_back(
        {count_cell(static_cast<std::int64_t>(i) + 1), text_cell(trend.runs[i]->started_utc),
         text_cell(short_commit(*trend.runs[i])), number_cell(trend.values[i], 4)});
  return table;
}

Figure trend_figure(const Trend& trend, std::size_t number) {
  ScatterPlot plot;
  plot.x = {"run", "", false, std::nullopt, std::nullopt};
  plot.y = {trend.figure, "", false, std::nullopt, std::nullopt};
  plot.joined = true;
  for (std::size_t i = 0; i < trend.values.size(); ++i) {
    // Each level is a series of its own: a change shows as a break of the line and of the colour.
    const auto level = std::count_if(trend.changes.begin(), trend.changes.end(),
                                     [&](const ChangePoint& change) { return change.index <= i; });
    ScatterPlot::Point point;
    point.label = short_commit(*trend.runs[i]);
    // Every commit would hide the line: those around a change, and the ends.
    const bool changes = std::any_of(
        trend.changes.begin(), trend.changes.end(),
        [&](const ChangePoint& change) { return change.index == i || change.index == i + 1; });
    point.labelled = changes || i == 0 || i + 1 == trend.values.size();
    point.series = "level " + std::to_string(level + 1);
    point.x = static_cast<double>(i + 1);
    point.y = trend.values[i];
    plot.points.push_back(std::move(point));
  }
  Table table = values_table(trend, number);
  return {"plot-" + table.id, trend.figure + " over the runs", std::move(plot), std::move(table)};
}

Table changes_table(std::span<const Trend> trends) {
  Table table;
  table.id = "changes";
  table.caption = "Changes";
  table.columns = {text_column("figure", "figure"),
                   text_column("commit", "since"),
                   number_column("before", "before"),
                   number_column("after", "after"),
                   number_column("worse_percent", "worse by", "%"),
                   number_column("p", "p"),
                   text_column("series", "series")};
  for (const Trend& trend : trends)
    for (const ChangePoint& change : trend.changes) {
      Cell worse = percent_cell(trend.worsening(change), 1);
      worse.tone = trend.worsening(change) > 0 ? Tone::kBad : Tone::kGood;
      table.rows.push_back({text_cell(trend.figure), text_cell(date_of(trend, change)),
                            number_cell(change.before, 4), number_cell(change.after, 4), worse,
                            number_cell(change.p, 2), text_cell(trend.series)});
    }
  table.note =
      "E-divisive with a permutation test (Matteson & James 2014); changes below the figure's "
      "minimum effect are left out. Negative is better.";
  return table;
}

}  // namespace

double Trend::worsening(const ChangePoint& change) const {
  return higher_is_better ? change.before / change.after - 1 : change.after / change.before - 1;
}

std::vector<Trend> find_trends(std::span<const HistoryRun> runs, const TrendOptions& options) {
  std::vector<GatedMetric> metrics = options.metrics;
  metrics.push_back({"accuracy_percent", "accuracy", true, kAccuracyEffect, true});
  std::vector<Trend> trends;
  std::vector<std::string> order;
  for (const HistoryRun& run : runs)
    if (std::find(order.begin(), order.end(), run.series) == order.end())
      order.push_back(run.series);
  for (const std::string& series : order) {
    for (const GatedMetric& metric : metrics) {
      if (!options.figure.empty() && options.figure != metric.key) continue;
      Trend trend;
      trend.series = series;
      trend.figure = metric.key;
      trend.higher_is_better = metric.higher_is_better;
      trend.minimum_effect = metric.minimum_effect;
      for (const HistoryRun& run : runs) {
        const auto value = run.figures.find(metric.key);
        if (run.series != series || value == run.figures.end() || !(value->second > 0)) continue;
        trend.runs.push_back(&run);
        trend.values.push_back(value->second);
      }
      if (trend.values.empty()) continue;
      if (trend.values.size() > kMostValues) {
        const auto excess = static_cast<std::ptrdiff_t>(trend.values.size() - kMostValues);
        trend.values.erase(trend.values.begin(), trend.values.begin() + excess);
        trend.runs.erase(trend.runs.begin(), trend.runs.begin() + excess);
      }
      std::vector<double> logs;
      for (const double value : trend.values) logs.push_back(std::log(value));
      ChangePointOptions changes;
      changes.alpha = options.alpha;
      // A permutation costs the square of the series; 199 are enough for a level of 1 %.
      if (logs.size() > 200) changes.permutations = 199;
      for (ChangePoint change : find_change_points(logs, changes)) {
        change.before = std::exp(change.before);
        change.after = std::exp(change.after);
        if (std::fabs(trend.worsening(change)) >= trend.minimum_effect)
          trend.changes.push_back(change);
      }
      trends.push_back(std::move(trend));
    }
  }
  return trends;
}

std::string date_of(const Trend& trend, const ChangePoint& change) {
  const HistoryRun& after = *trend.runs[change.index];
  return short_commit(after) + " (" + after.started_utc + "), last good " +
         short_commit(*trend.runs[change.index - 1]);
}

Document build_history_report(std::span<const HistoryRun> runs, const TrendOptions& options,
                              const std::string& title) {
  const std::vector<Trend> trends = find_trends(runs, options);
  Document document;
  document.title = title;
  std::size_t changes = 0;
  for (const Trend& trend : trends) changes += trend.changes.size();
  document.subtitle = format_count(static_cast<std::int64_t>(runs.size())) + " runs, " +
                      format_count(static_cast<std::int64_t>(changes)) + " changes";
  Section summary{"changes", "Changes", {changes_table(trends)}};
  document.sections.push_back(std::move(summary));
  std::string series;
  std::size_t number = 0;
  for (const Trend& trend : trends) {
    if (trend.series != series) {
      series = trend.series;
      ++number;
      document.sections.push_back({"series-" + std::to_string(number),
                                   trend.runs.front()->label + ", " + trend.runs.front()->machine,
                                   {Paragraph{series, Tone::kNeutral}}});
    }
    document.sections.back().blocks.push_back(trend_figure(trend, number));
  }
  return document;
}

GateResult gate_trend(std::span<const HistoryRun> runs, const GateSettings& settings,
                      const std::string& name) {
  GateResult result;
  result.alpha = settings.alpha;
  result.source = "The series of the newest run in the history; changes by E-divisive.";
  result.baseline = name;
  if (runs.empty()) {
    result.candidate = "nothing";
    result.notes.push_back("the history holds no run");
    return result;
  }
  const HistoryRun& newest = runs.back();
  result.candidate = newest.run_id + " (" + short_commit(newest) + ")";
  std::vector<HistoryRun> series;
  for (const HistoryRun& run : runs)
    if (run.series == newest.series) series.push_back(run);
  TrendOptions options;
  options.metrics = settings.metrics;
  options.alpha = settings.alpha;
  for (const Trend& trend : find_trends(series, options)) {
    TimingFinding finding;
    finding.metric = {trend.figure, trend.figure, trend.higher_is_better, trend.minimum_effect,
                      true};
    for (const GatedMetric& metric : settings.metrics)
      if (metric.key == trend.figure) finding.metric.required = metric.required;
    finding.candidate = trend.values.back();
    finding.baseline = trend.values.front();
    if (!trend.changes.empty()) {
      const ChangePoint& last = trend.changes.back();
      finding.baseline = last.before;
      finding.candidate = last.after;
      finding.worsening = trend.worsening(last);
      const bool worse = finding.worsening > 0;
      finding.verdict = worse ? GateVerdict::kFail : GateVerdict::kPass;
      finding.because = format_percent(std::fabs(finding.worsening)) +
                        (worse ? " % worse since " : " % better since ") + date_of(trend, last);
    } else if (trend.values.size() < kTrendRuns) {
      finding.because = std::to_string(trend.values.size()) + " runs are no trend; it takes " +
                        std::to_string(kTrendRuns);
    } else {
      finding.verdict = GateVerdict::kPass;
      finding.because = "no change over " + std::to_string(trend.values.size()) + " runs";
    }
    finding.interval = {finding.worsening, finding.worsening};
    result.timing.push_back(std::move(finding));
  }
  return result;
}

}  // namespace moebench
