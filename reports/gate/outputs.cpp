#include "reports/gate/outputs.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "engine/base/error.h"
#include "reports/compare/compatibility.h"
#include "reports/metrics/accuracy.h"
#include "reports/render/cells.h"
#include "reports/statistics/paired.h"

namespace moebench {
namespace {

constexpr std::size_t kShownBytes = 40;

using AttemptKey = std::tuple<std::string, std::string, std::int64_t>;

AttemptKey key_of(const SampleRecord& sample) {
  return {sample.task, sample.question_id, sample.attempt};
}

// "gsm8k-mini/9" comes before "gsm8k-mini/12".
bool comes_before(const SampleRecord& a, const SampleRecord& b) {
  return std::tuple(a.task, a.question_id.size(), a.question_id, a.attempt) <
         std::tuple(b.task, b.question_id.size(), b.question_id, b.attempt);
}

std::string whole_text(const SampleRecord& sample) {
  return sample.thinking.empty() ? sample.output : sample.thinking + "</think>" + sample.output;
}

// A piece of UTF-8 text that starts and ends at whole characters.
std::string excerpt(const std::string& text, std::size_t begin) {
  const auto inside = [&](std::size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
  };
  while (begin > 0 && inside(begin)) --begin;
  std::size_t end = std::min(text.size(), begin + kShownBytes);
  while (end > begin && inside(end)) --end;
  return text.substr(begin, end - begin);
}

ChangedOutput describe_change(const SampleRecord& a, const SampleRecord& b) {
  const std::string x = whole_text(a), y = whole_text(b);
  std::size_t at = 0;
  while (at < x.size() && at < y.size() && x[at] == y[at]) ++at;
  return {a.task,
          a.question_id,
          a.attempt,
          a.verdict,
          b.verdict,
          static_cast<std::int64_t>(at),
          excerpt(x, std::min(at, x.size())),
          excerpt(y, std::min(at, y.size()))};
}

bool same_arithmetic(const RunRecord& a, const RunRecord& b) {
  return a.engine.isa == b.engine.isa && a.engine.device == b.engine.device;
}

std::string points(double fraction) { return format_percent(fraction, 1) + " points"; }

}  // namespace

OutputsFinding compare_outputs(const LoadedRun& baseline, const LoadedRun& candidate) {
  std::map<AttemptKey, const SampleRecord*> others;
  for (const SampleRecord& sample : candidate.samples) others[key_of(sample)] = &sample;
  OutputsFinding finding;
  const SampleRecord* first = nullptr;
  for (const SampleRecord& sample : baseline.samples) {
    const auto other = others.find(key_of(sample));
    if (other == others.end() || sample.output_sha256.empty() ||
        other->second->output_sha256.empty())
      continue;
    ++finding.compared;
    if (sample.output_sha256 == other->second->output_sha256) continue;
    ++finding.changed;
    // Samples lie in order of completion, which a busy machine changes: the first is the least.
    if (first == nullptr || comes_before(sample, *first)) first = &sample;
  }
  if (first != nullptr) finding.first = describe_change(*first, *others.at(key_of(*first)));
  const std::string of =
      format_count(finding.changed) + " of " + format_count(finding.compared) + " outputs";
  if (finding.compared == 0) {
    finding.because = "no output has a hash in both";
  } else if (finding.changed == 0) {
    finding.verdict = GateVerdict::kPass;
    finding.because = "all " + format_count(finding.compared) + " outputs are the same";
  } else if (!same_arithmetic(baseline.run, candidate.run)) {
    finding.because = of + " differ, on " + baseline.run.engine.device + " " +
                      baseline.run.engine.isa + " and " + candidate.run.engine.device + " " +
                      candidate.run.engine.isa + ", which don't promise equal tokens";
  } else {
    finding.verdict = GateVerdict::kFail;
    finding.because = "numerics changed: " + of + " differ, first " + finding.first->task + " " +
                      finding.first->question_id;
  }
  return finding;
}

void doubt_outputs_of_other_builds(OutputsFinding& finding, const RunRecord& baseline,
                                   const RunRecord& candidate) {
  if (finding.verdict != GateVerdict::kFail) return;
  std::string other;
  if (baseline.build.compiler != candidate.build.compiler)
    other = baseline.build.compiler + " and " + candidate.build.compiler + " built the two";
  else if (baseline.environment.os != candidate.environment.os)
    other = "the two ran on " + baseline.environment.os + " and " + candidate.environment.os;
  if (other.empty()) return;
  finding.verdict = GateVerdict::kInconclusive;
  finding.because += "; but " + other +
                     ", which may round otherwise: gate both programs on one "
                     "machine (--baseline-bin) to tell";
}

AccuracyFinding compare_accuracy(const LoadedRun& baseline, const LoadedRun& candidate,
                                 const AccuracyLimits& limits) {
  struct Question {
    double correct = 0, attempts = 0;
    double score() const { return correct / attempts; }
  };
  const auto by_question = [](const LoadedRun& run) {
    std::map<std::pair<std::string, std::string>, Question> questions;
    for (const SampleRecord& sample : run.samples) {
      Question& question = questions[{sample.task, sample.question_id}];
      question.attempts += 1;
      question.correct += sample.correct() ? 1 : 0;
    }
    return questions;
  };
  const auto a = by_question(baseline), b = by_question(candidate);
  std::vector<PairedScore> scores;
  bool whole = true;
  AccuracyFinding finding;
  for (const auto& [key, question] : a) {
    const auto other = b.find(key);
    if (other == b.end()) continue;
    const PairedScore score{question.score(), other->second.score()};
    scores.push_back(score);
    whole = whole && (score.a == 0 || score.a == 1) && (score.b == 0 || score.b == 1);
    finding.baseline += score.a;
    finding.candidate += score.b;
    if (score.a > score.b) ++finding.lost;
    if (score.a < score.b) ++finding.gained;
  }
  if (scores.empty())
    throw Error(ErrorCode::kConfiguration, "the two runs share no question",
                "compare runs of the same tasks and --limit");
  finding.questions = static_cast<std::int64_t>(scores.size());
  finding.baseline /= static_cast<double>(scores.size());
  finding.candidate /= static_cast<double>(scores.size());
  finding.drop = finding.baseline - finding.candidate;
  // Two-sided at twice the level: the fail side alone counts.
  const DifferenceEstimate difference = paired_difference(scores, 1 - 2 * limits.alpha);
  finding.interval = {-difference.interval.high, -difference.interval.low};
  finding.p = whole ? mcnemar_exact_p(finding.lost, finding.gained) : paired_permutation_p(scores);
  const bool significant = finding.drop > 0 && finding.p / 2 <= limits.alpha;
  const double least = limits.minimum_effect;
  if (significant && finding.drop >= least) {
    finding.verdict = GateVerdict::kFail;
    finding.because = "down " + points(finding.drop) + " (" + format_count(finding.lost) +
                      " answers lost, " + format_count(finding.gained) + " gained); the limit is " +
                      points(least);
  } else if (finding.lost == 0 && finding.gained == 0) {
    finding.verdict = GateVerdict::kPass;
    finding.because = "every answer is judged the same";
  } else if (finding.interval.high < least) {
    finding.verdict = GateVerdict::kPass;
    finding.because = "down at most " + points(std::max(0.0, finding.interval.high)) +
                      "; the limit is " + points(least);
  } else {
    finding.because = "a drop of " + points(finding.interval.high) + " is not excluded by " +
                      format_count(finding.questions) + " questions";
  }
  return finding;
}

void refuse_unlike(const LoadedRun& baseline, const LoadedRun& candidate,
                   const std::string& baseline_name, const std::string& candidate_name) {
  const auto refuse = [](const std::string& what, const std::string& remedy) {
    throw Error(ErrorCode::kConfiguration, what, remedy);
  };
  if (baseline.samples.empty())
    refuse("the baseline " + baseline_name + " holds no samples", "a run that answered something");
  if (candidate.samples.empty())
    refuse("the candidate " + candidate_name + " holds no samples",
           "a run that answered something");
  std::string tasks_a, tasks_b;
  bool shared = false;
  for (const TaskRecord& task : baseline.run.tasks) {
    tasks_a += (tasks_a.empty() ? "" : ", ") + task.name;
    for (const TaskRecord& other : candidate.run.tasks) shared = shared || task.name == other.name;
  }
  for (const TaskRecord& task : candidate.run.tasks)
    tasks_b += (tasks_b.empty() ? "" : ", ") + task.name;
  if (!shared)
    refuse("no task in common: the baseline ran " + tasks_a + ", the candidate " + tasks_b,
           "runs of the same tasks");
  const LoadedRun runs[] = {{baseline.run, {}, {}}, {candidate.run, {}, {}}};
  if (const auto mismatches = find_mismatches(runs, 0); !mismatches.empty())
    refuse("the baseline and the candidate can't be compared: " +
               describe(mismatches, distinct_labels(runs)[0]),
           "runs of the same task files, prompts, data and sampling");
  if (baseline.run.model.sha256 != candidate.run.model.sha256)
    refuse("another model: the baseline's " + baseline.run.model.name + " has the hash " +
               baseline.run.model.sha256.substr(0, 12) + ", the candidate's " +
               candidate.run.model.name + " " + candidate.run.model.sha256.substr(0, 12),
           "a gate compares two builds on one model; `moebench compare` compares models");
  if (baseline.run.model.weight_types != candidate.run.model.weight_types)
    refuse("the weights are " + baseline.run.model.weight_types + " in the baseline and " +
               candidate.run.model.weight_types + " in the candidate",
           "the same --weights-type for both");
}

}  // namespace moebench
