#include "reports/gate/gate.h"

#include <cmath>

#include "reports/render/cells.h"

namespace moebench {
namespace {

Tone tone_of(GateVerdict verdict) {
  if (verdict == GateVerdict::kPass) return Tone::kGood;
  return verdict == GateVerdict::kFail ? Tone::kBad : Tone::kUncertain;
}

Table checks_table(const GateResult& result) {
  Table table;
  table.id = "checks";
  table.caption = "Checks";
  table.columns = {text_column("group", "what"), text_column("check", "check"),
                   text_column("verdict", "verdict"), text_column("because", "because")};
  for (const GateCheck& check : gate_checks(result)) {
    const bool reported = check.verdict == GateVerdict::kInconclusive && !check.required;
    table.rows.push_back(
        {text_cell(check.group), text_cell(check.name),
         text_cell(std::string(to_string(check.verdict)) + (reported ? " (reported only)" : ""),
                   reported ? Tone::kNeutral : tone_of(check.verdict)),
         text_cell(check.because)});
  }
  return table;
}

Table timing_table(const GateResult& result) {
  Table table;
  table.id = "timing";
  table.caption = "Figures";
  table.columns = {text_column("metric", "figure"),
                   number_column("baseline", "baseline"),
                   number_column("candidate", "candidate"),
                   number_column("worsening_percent", "worse by", "%"),
                   number_column("minimum_effect_percent", "limit", "%"),
                   text_column("verdict", "verdict")};
  for (const TimingFinding& finding : result.timing) {
    const bool bounded =
        std::isfinite(finding.interval.low) && std::isfinite(finding.interval.high);
    table.rows.push_back({text_cell(finding.metric.key), number_cell(finding.baseline, 4),
                          number_cell(finding.candidate, 4),
                          bounded ? percent_cell(finding.worsening, finding.interval, 2)
                                  : percent_cell(finding.worsening, 2),
                          percent_cell(finding.metric.minimum_effect),
                          text_cell(to_string(finding.verdict))});
  }
  table.note = "Worse is positive, whichever the figure's direction. ";
  table.note += result.alpha > 0
                    ? "The intervals hold for all looks and figures together: two equal programs "
                      "fail the gate with a chance of at most " +
                          format_percent(result.alpha, 2) + " %."
                    : std::string("These are counts, not estimates: they have no interval.");
  return table;
}

IntervalPlot timing_plot(const GateResult& result) {
  IntervalPlot plot;
  plot.axis = {"worse by", "%", false, std::nullopt, std::nullopt};
  plot.reference = 0;
  for (const TimingFinding& finding : result.timing) {
    if (!std::isfinite(finding.interval.low) || !std::isfinite(finding.interval.high)) continue;
    plot.rows.push_back({finding.metric.key,
                         "",
                         finding.worsening * 100,
                         {finding.interval.low * 100, finding.interval.high * 100},
                         tone_of(finding.verdict)});
  }
  return plot;
}

std::string gap_text(const std::optional<double>& gap) {
  return gap ? format_number(*gap, 4) : "unknown (not among the recorded tokens)";
}

KeyValues divergence_block(const OutputsFinding& outputs) {
  const ChangedOutput& first = *outputs.first;
  KeyValues block{"divergence", "First changed output", {}};
  block.entries = {{"question", first.task + " " + first.question_id + ", attempt " +
                                    std::to_string(first.attempt)},
                   {"verdicts", first.baseline_verdict + " -> " + first.candidate_verdict},
                   {"texts part at byte", format_count(first.first_difference_bytes)},
                   {"baseline goes on", "\"" + first.baseline_text + "\""},
                   {"candidate goes on", "\"" + first.candidate_text + "\""}};
  if (const auto& parted = outputs.divergence) {
    block.entries.push_back({"first differing token", std::to_string(parted->token_index)});
    block.entries.push_back({"its id", std::to_string(parted->baseline_token) + " -> " +
                                           std::to_string(parted->candidate_token)});
    block.entries.push_back(
        {"logit gap between the two, in the baseline", gap_text(parted->baseline_gap)});
    block.entries.push_back(
        {"logit gap between the two, in the candidate", gap_text(parted->candidate_gap)});
  }
  return block;
}

}  // namespace

std::vector<GateCheck> gate_checks(const GateResult& result) {
  std::vector<GateCheck> checks;
  if (result.outputs) {
    std::string because = result.outputs->because;
    if (const auto& parted = result.outputs->divergence)
      because += ", token " + std::to_string(parted->token_index) + " (" +
                 std::to_string(parted->baseline_token) + " -> " +
                 std::to_string(parted->candidate_token) + "), logit gap " +
                 gap_text(parted->baseline_gap) + " -> " + gap_text(parted->candidate_gap);
    checks.push_back({"outputs", "output_hashes", result.outputs->verdict, true, because});
  }
  if (result.accuracy) {
    const std::string both = format_percent(result.accuracy->baseline) + " -> " +
                             format_percent(result.accuracy->candidate) + " %: ";
    checks.push_back(
        {"accuracy", "accuracy", result.accuracy->verdict, true, both + result.accuracy->because});
  }
  for (const TimingFinding& finding : result.timing)
    checks.push_back(
        {"timing", finding.metric.key, finding.verdict, finding.metric.required, finding.because});
  return checks;
}

GateVerdict overall_verdict(const GateResult& result) {
  const std::vector<GateCheck> checks = gate_checks(result);
  GateVerdict verdict = checks.empty() ? GateVerdict::kInconclusive : GateVerdict::kPass;
  for (const GateCheck& check : checks) {
    if (check.verdict == GateVerdict::kFail) return GateVerdict::kFail;
    if (check.verdict == GateVerdict::kInconclusive && check.required)
      verdict = GateVerdict::kInconclusive;
  }
  return verdict;
}

std::string gate_headline(const GateResult& result) {
  const GateVerdict verdict = overall_verdict(result);
  std::string text = to_string(verdict);
  if (verdict == GateVerdict::kPass) return text;
  const std::vector<GateCheck> checks = gate_checks(result);
  if (checks.empty()) return text + ": nothing could be compared";
  for (const GateCheck& check : checks)
    if (check.verdict == verdict && (check.required || verdict == GateVerdict::kFail))
      return text + ": " + check.name + ": " + check.because;
  return text;
}

Document build_gate_report(const GateResult& result) {
  Document document;
  document.title = "Gate: " + std::string(to_string(overall_verdict(result)));
  document.subtitle = result.candidate + " against " + result.baseline;
  document.headlines.push_back({"verdict", to_string(overall_verdict(result)),
                                gate_headline(result), tone_of(overall_verdict(result))});
  Section section{"gate", "What the gate found", {}};
  section.blocks.push_back(checks_table(result));
  if (result.outputs && result.outputs->first)
    section.blocks.push_back(divergence_block(*result.outputs));
  if (!result.timing.empty()) {
    IntervalPlot plot = timing_plot(result);
    if (plot.rows.empty())
      section.blocks.push_back(timing_table(result));
    else
      section.blocks.push_back(Figure{"worsening", "Worsening of each figure, with its interval",
                                      std::move(plot), timing_table(result)});
  }
  for (const std::string& note : result.notes)
    section.blocks.push_back(Paragraph{note, Tone::kUncertain});
  std::string method = result.source;
  if (result.rounds > 0) method += " " + std::to_string(result.rounds) + " rounds.";
  if (result.seconds > 0) method += " Took " + format_fixed(result.seconds, 0) + " s.";
  section.blocks.push_back(Paragraph{method, Tone::kNeutral});
  document.sections.push_back(std::move(section));
  return document;
}

}  // namespace moebench
