#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasets/grading/equivalence.h"
#include "engine/base/error.h"
#include "harness/cli/commands.h"
#include "harness/cli/console.h"
#include "harness/score/score.h"

namespace moebench {
namespace {

struct ScoreArguments {
  ScoreRequest request;
  std::string input, output;
  std::optional<std::int64_t> explain;
  std::vector<std::string> diff;
};

std::string percent(std::int64_t part, std::int64_t all) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %%",
                all == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(all));
  return text;
}

std::string shortened(const std::string& text, std::size_t length = 60) {
  std::string out = text.substr(0, length);
  for (char& c : out) {
    if (c == '\n') c = ' ';
  }
  return text.size() > length ? out + "..." : out;
}

ExitCode explain(const ScoreArguments& arguments, const ScoreReport& report) {
  const auto found =
      std::find_if(report.rows.begin(), report.rows.end(),
                   [&](const ScoredRow& row) { return row.row == *arguments.explain; });
  if (found == report.rows.end()) {
    throw Error(ErrorCode::kUsage, "row " + std::to_string(*arguments.explain) + " was not graded",
                "rows are the file's lines, counted from 0");
  }
  const std::string task_name = arguments.request.task.empty() ? "math" : arguments.request.task;
  std::string out = "row " + std::to_string(found->row) + ": " + found->key + "\n";
  if (!arguments.request.bare_answers) {
    std::string name = task_name;
    if (arguments.request.task.empty() && !found->task.empty()) name = found->task;
    const Extraction extraction = extract_answer(load_task(name).extraction, found->output, true);
    out += "extraction\n";
    for (const std::string& line : extraction.trace) out += "  " + line + "\n";
  }
  out += "answer   " + found->verdict.extracted + "\n  read as  " +
         explain_parse(found->verdict.extracted) + "\n";
  out += "gold     " + found->target + "\n  read as  " + explain_parse(found->target) + "\n";
  out += "verdict  " + std::string(to_string(found->verdict.kind)) + ", by " +
         std::string(to_string(found->verdict.reason));
  if (!found->verdict.detail.empty()) out += " (" + found->verdict.detail + ")";
  out += "\n";
  if (found->verdict.corrected_kind)
    out += "against the corrected gold: " + std::string(to_string(*found->verdict.corrected_kind)) +
           "\n";
  write_stdout(out);
  return ExitCode::kHolds;
}

ExitCode show_diff(const ScoreArguments& arguments) {
  const std::vector<ChangedVerdict> changes = diff_verdicts(arguments.diff[0], arguments.diff[1]);
  std::string out;
  for (const ChangedVerdict& change : changes) {
    out += change.key + ": " + change.old_verdict + " -> " + change.new_verdict + "\n  gold " +
           shortened(change.target) + "\n  old  " + shortened(change.old_extracted) + "\n  new  " +
           shortened(change.new_extracted) + "\n";
  }
  out += std::to_string(changes.size()) + " verdicts differ\n";
  write_stdout(out);
  return ExitCode::kHolds;
}

ExitCode run_score(const ScoreArguments& arguments) {
  if (!arguments.diff.empty()) return show_diff(arguments);
  if (arguments.input.empty())
    throw Error(ErrorCode::kUsage, "nothing to score", "moebench score RUN_DIR, or a JSONL file");
  ScoreRequest request = arguments.request;
  request.input = arguments.input;
  const ScoreReport report = score(request);
  if (arguments.explain) return explain(arguments, report);
  const auto all = static_cast<std::int64_t>(report.rows.size());
  std::string out =
      "fields: answer " + report.answer_field + ", gold " + report.target_field + "\n";
  for (const VerdictKind kind : {VerdictKind::kCorrect, VerdictKind::kWrong, VerdictKind::kUnparsed,
                                 VerdictKind::kTruncated, VerdictKind::kFailed}) {
    const std::int64_t count = report.count(kind);
    out += "  " + std::string(to_string(kind)) + std::string(11 - to_string(kind).size(), ' ') +
           std::to_string(count) + "  (" + percent(count, all) + " of " + std::to_string(all) +
           ")\n";
  }
  if (report.count_corrected() != report.count(VerdictKind::kCorrect)) {
    out += "  with corrected golds: " + std::to_string(report.count_corrected()) + " correct (" +
           percent(report.count_corrected(), all) + ")\n";
  }
  std::int64_t changed = 0;
  for (const ScoredRow& row : report.rows) {
    if (!row.old_verdict.empty() && row.old_verdict != to_string(row.verdict.kind)) {
      if (++changed <= 20) {
        out += "  changed: " + row.key + " " + row.old_verdict + " -> " +
               std::string(to_string(row.verdict.kind)) + ", answer " +
               shortened(row.verdict.extracted) + ", gold " + shortened(row.target) + "\n";
      }
    }
  }
  if (changed > 0)
    out += "  " + std::to_string(changed) + " verdicts differ from the recorded ones\n";
  for (std::size_t i = 0; i < report.unscored.size() && i < 5; ++i)
    out += "  not graded: row " + std::to_string(report.unscored[i].row) + " " +
           report.unscored[i].reason + "\n";
  if (report.unscored.size() > 5)
    out += "  not graded: " + std::to_string(report.unscored.size()) + " rows in all\n";
  char time[64];
  std::snprintf(time, sizeof time, "  graded in %.3f s\n", report.grading_seconds);
  out += time;
  if (!arguments.output.empty()) {
    std::ofstream file(arguments.output, std::ios::binary);
    for (const ScoredRow& row : report.rows) file << to_json_line(row) << '\n';
    file.flush();
    if (!file)
      throw Error(ErrorCode::kIo, arguments.output + ": cannot be written",
                  "check the path and the disk");
  }
  write_stdout(out);
  return ExitCode::kHolds;
}

}  // namespace

void add_score_command(CLI::App& app, Action& chosen) {
  const auto arguments = std::make_shared<ScoreArguments>();
  CLI::App* sub = app.add_subcommand("score", "Grade recorded outputs again, without a model");
  sub->footer(R"(Examples:
  moebench score runs/2026-01-31T12-00-00-canary
  moebench score samples_gsm8k.jsonl --task gsm8k
  moebench score pairs.jsonl --answer-field answer --target-field gold --bare
  moebench score runs/a --explain 17
  moebench score --diff old.jsonl new.jsonl

Known without naming fields: this program's runs, lm-eval's samples_*.jsonl, OpenAI-style responses.)");
  sub->add_option("input", arguments->input, "A run's folder, or a JSONL file")
      ->option_text("INPUT");
  sub->add_option(
         "--task", arguments->request.task,
         "Whose extraction and grading rules to use (default: the record's own, else math)")
      ->option_text("TASK");
  sub->add_option("--answer-field", arguments->request.answer_field,
                  "Where the output stands; dots for nested fields: resps.0.0")
      ->option_text("FIELD");
  sub->add_option("--target-field", arguments->request.target_field, "Where the gold answer stands")
      ->option_text("FIELD");
  sub->add_option("--question-field", arguments->request.question_field,
                  "Where the problem stands, if it does")
      ->option_text("FIELD");
  sub->add_flag("--bare", arguments->request.bare_answers,
                "The answer field holds the answer alone, not a text around it");
  sub->add_option("--explain", arguments->explain, "Show how the row of this number was graded")
      ->check(CLI::NonNegativeNumber)
      ->option_text("ROW");
  sub->add_option("--diff", arguments->diff,
                  "Show each verdict that differs between two runs or verdict files")
      ->expected(2)
      ->option_text("OLD NEW");
  sub->add_option("-o,--output", arguments->output, "Write the verdicts as JSONL")
      ->option_text("FILE");
  sub->callback([arguments, &chosen] { chosen = [arguments] { return run_score(*arguments); }; });
}

}  // namespace moebench
