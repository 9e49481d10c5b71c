#include "reports/metrics/accuracy.h"
#include "reports/metrics/run_cost.h"
#include "reports/run_report/sections.h"

namespace moebench {

Section samples_section(const LoadedRun& run, const RunReportOptions& options) {
  Section section{"answers", "Answers", {}};
  const auto cost = run_cost(run, options.usd_per_hour);
  SampleList list;
  list.id = "answers-list";
  list.caption = "Every answer with its verdict";
  for (const QuestionAttempts& question : group_by_question(run.samples)) {
    SampleEntry& entry = list.entries.emplace_back();
    entry.task = question.task;
    entry.question_id = question.question_id;
    entry.level = question.level;
    entry.subject = question.subject;
    for (const SampleRecord* sample : question.attempts) {
      entry.question = sample->question;
      entry.target = sample->target;
      auto& answer = entry.answers.emplace_back();
      answer.verdict = sample->verdict;
      answer.extracted = sample->extracted;
      answer.reason = !sample->failure.empty()  ? sample->failure
                      : !sample->detail.empty() ? sample->detail
                                                : sample->reason;
      answer.thinking = sample->thinking;
      answer.output = sample->output;
      answer.attempt = sample->attempt;
      answer.output_tokens = sample->output_tokens;
      if (const auto& last = sample->timing.last_token_ms) answer.seconds = *last / 1000;
      if (cost) answer.usd = sample_usd(*sample, cost->price);
    }
  }
  section.blocks.push_back(std::move(list));
  return section;
}

}  // namespace moebench
