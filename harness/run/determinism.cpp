#include "harness/run/determinism.h"

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>

#include "engine/base/error.h"
#include "harness/clients/engine_client.h"
#include "harness/run/interrupt.h"
#include "harness/run/plan.h"
#include "harness/run/player.h"
#include "harness/run/record_parts.h"
#include "harness/run/settings.h"
#include "reports/record/record_files.h"

namespace moebench {

namespace {

using Key = std::tuple<std::string, std::string, std::int64_t>;  // task, question, attempt

Key key_of(const SampleRecord& sample) { return {sample.task, sample.question_id, sample.attempt}; }

std::string whole_text(const SampleRecord& sample) { return sample.thinking + sample.output; }

// `count` of the attempts that have a recorded answer, evenly spread.
std::vector<Attempt> choose(const RunPlan& plan, const std::map<Key, SampleRecord>& recorded,
                            std::int64_t count) {
  std::vector<Attempt> answered;
  for (const Attempt& attempt : plan.attempts()) {
    const PlannedTask& task = plan.tasks[attempt.task];
    if (recorded.contains({task.task.name, task.questions[attempt.question].id, attempt.index})) {
      answered.push_back(attempt);
    }
  }
  const std::size_t n = std::min(answered.size(), static_cast<std::size_t>(count));
  std::vector<Attempt> chosen;
  for (std::size_t i = 0; i < n; ++i) chosen.push_back(answered[i * answered.size() / n]);
  return chosen;
}

struct Pass {
  EngineOptions options;
  std::string name;
};

Pass make_pass(const RunSettings& settings, std::int64_t batch, std::size_t index) {
  constexpr std::int64_t kChunks[] = {512, 64, 32, 200};
  Pass pass{engine_options(settings), ""};
  pass.options.max_batch_sequences = batch;
  pass.options.threads = index % 2 == 1 ? 1 : settings.threads;  // the first as recorded
  // A step has to hold one row of each sequence.
  pass.options.max_step_tokens = std::max(kChunks[index % std::size(kChunks)], batch);
  pass.options.prefix_cache = index % 2 == 1;
  pass.name = "batch " + std::to_string(batch) + ", " +
              (pass.options.threads == 1 ? std::string("1 thread") : std::string("all threads")) +
              ", chunks of " + std::to_string(pass.options.max_step_tokens) +
              " tokens, prefix cache " + (pass.options.prefix_cache ? "on" : "off");
  return pass;
}

// Another order in each pass: every third attempt, or every fifth, and so on.
std::vector<Attempt> reorder(const std::vector<Attempt>& attempts, std::size_t index) {
  const std::size_t stride = 2 * index + 1;
  std::vector<Attempt> order;
  for (std::size_t first = 0; first < stride; ++first) {
    for (std::size_t i = first; i < attempts.size(); i += stride) order.push_back(attempts[i]);
  }
  return order;
}

DeterminismDifference describe(const SampleRecord& recorded, const SampleRecord& repeated,
                               const std::string& pass) {
  constexpr std::size_t kShown = 40;
  const std::string was = whole_text(recorded), is = whole_text(repeated);
  const std::size_t shorter = std::min(was.size(), is.size());
  std::size_t at = 0;
  while (at < shorter && was[at] == is[at]) ++at;
  return {pass, recorded.task,          recorded.question_id, recorded.attempt,
          at,   was.substr(at, kShown), is.substr(at, kShown)};
}

}  // namespace

DeterminismResult check_determinism(const std::filesystem::path& directory,
                                    const DeterminismSettings& settings, const Announce& announce) {
  const LoadedRun loaded = load_run(directory);
  for (const std::string& warning : loaded.warnings) announce(warning, true);
  const RunSettings run_settings = parse_run_settings(loaded.run.requested);
  RunPlan plan = make_plan(run_settings);
  plan.started_unix_seconds = started_unix_seconds(loaded.run);
  refuse_other_plan(loaded.run, plan, directory.string());
  refuse_foreign_samples(loaded.samples, plan, directory.string());

  std::map<Key, SampleRecord> recorded;
  for (const SampleRecord& sample : loaded.samples) {
    if (sample.verdict != verdicts::kFailed) recorded.emplace(key_of(sample), sample);
  }
  const std::vector<Attempt> attempts = choose(plan, recorded, settings.answers);
  if (attempts.empty()) {
    throw Error(ErrorCode::kUsage, directory.string() + ": holds no answer to compare with",
                "moebench run --resume " + directory.string());
  }

  DeterminismResult result;
  result.answers = static_cast<std::int64_t>(attempts.size());
  std::map<Key, std::string> first_pass;
  const InterruptGuard guard;
  for (std::size_t i = 0; i < settings.batch_sizes.size(); ++i) {
    const Pass pass = make_pass(run_settings, settings.batch_sizes[i], i);
    announce(pass.name, false);
    const std::unique_ptr<EngineClient> client = make_client(pass.options);
    if (i == 0) result.warnings = refuse_other_engine(loaded.run, run_settings, client->info());

    DeterminismPass& told = result.passes.emplace_back();
    told.name = pass.name;
    PlayListener listener;
    listener.tick = [](std::int64_t) {};
    listener.should_stop = interrupted;
    listener.finished = [&](const Attempt&, const SampleRecord& repeated) {
      const SampleRecord& before = recorded.at(key_of(repeated));
      const bool equal = repeated.output_sha256 == before.output_sha256 &&
                         repeated.finish_reason == before.finish_reason;
      ++(equal ? told.equal : told.different);
      if (!equal) result.differences.push_back(describe(before, repeated, pass.name));
      const auto [first, is_new] = first_pass.emplace(key_of(repeated), repeated.output_sha256);
      if (!is_new && first->second != repeated.output_sha256) result.passes_agree = false;
    };
    const std::vector<Attempt> order = reorder(attempts, i);
    play(plan, order, *client, 0, {}, listener);
    if (interrupted()) {
      result.interrupted = true;
      break;
    }
  }
  return result;
}

}  // namespace moebench
