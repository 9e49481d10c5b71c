#include "harness/run/run.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <tuple>

#include "engine/base/error.h"
#include "harness/clients/engine_client.h"
#include "harness/clients/worker_client.h"
#include "harness/environment/energy.h"
#include "harness/environment/environment.h"
#include "harness/environment/gpu_watch.h"
#include "harness/run/interrupt.h"
#include "harness/run/overhead.h"
#include "harness/run/plan.h"
#include "harness/run/player.h"
#include "harness/run/progress.h"
#include "harness/run/record_parts.h"
#include "harness/run/results.h"
#include "harness/run/run_directory.h"
#include "harness/run/settings.h"
#include "reports/record/record_files.h"

namespace moebench {

namespace {

using Clock = std::chrono::steady_clock;
using std::filesystem::path;

// How stale the counts in run.json may be while the run goes on; samples.jsonl is never stale.
constexpr std::chrono::seconds kRecordEvery{10};
// What a lost power supply may cost. (A killed process costs nothing that is finished.)
constexpr std::chrono::seconds kSyncEvery{1};

std::unique_ptr<EngineClient> load_client(const RunSettings& settings, const path& directory) {
  const EngineOptions options = engine_options(settings);
  if (settings.workers == 0) {
    RemoteOptions remote = settings.remote;
    remote.launch_log = directory / "server.log";
    return make_client(options, remote);
  }
  WorkerSettings workers = own_workers(options, settings.workers);
  workers.stall_limit =
      std::chrono::milliseconds(static_cast<std::int64_t>(settings.stall_timeout_seconds * 1000));
  return std::make_unique<WorkerClient>(std::move(workers));
}

// One stretch of play: keeps the record in step with what the player tells.
class Segment {
 public:
  Segment(RunRecord& record, const RunPlan& plan, EngineClient& client, const path& directory,
          std::vector<SampleRecord> samples, bool step_log, const Announce& announce)
      : record_(record),
        plan_(plan),
        client_(client),
        directory_(directory),
        announce_(announce),
        samples_(std::move(samples)),
        earlier_load_(record.expert_load),
        earlier_energy_(record.energy),
        sample_log_(std::make_unique<JsonLinesWriter>(directory / "samples.jsonl")) {
    if (step_log) step_log_.emplace(directory / "steps.jsonl");
    state_.total = static_cast<std::int64_t>(plan.attempts().size());
    for (const SampleRecord& sample : samples_) count(sample);
  }

  PlayResult play();

  std::int64_t answered() const { return state_.done; }
  void write(RunStatus status);
  // Nothing is appended any more.
  std::vector<SampleRecord>& close_log() {
    sample_log_.reset();
    return samples_;
  }

 private:
  void count(const SampleRecord& sample) {
    ++state_.done;
    if (sample.correct()) ++state_.correct;
  }
  void finished(SampleRecord sample);
  void tick(std::int64_t output_tokens);
  void take_steps();
  void record_energy();
  double elapsed_seconds() const {
    return std::chrono::duration<double>(Clock::now() - start_).count();
  }

  RunRecord& record_;
  const RunPlan& plan_;
  EngineClient& client_;
  const path& directory_;
  const Announce& announce_;
  std::vector<SampleRecord> samples_;
  const std::vector<std::vector<std::int64_t>> earlier_load_;
  const std::vector<EnergyReading> earlier_energy_;
  std::optional<EnergyMeter> energy_;  // while it plays
  std::optional<GpuWatch> gpus_;
  std::unique_ptr<JsonLinesWriter> sample_log_;
  std::optional<JsonLinesWriter> step_log_;

  ProgressDisplay display_;
  ProgressState state_;
  Clock::time_point start_, last_write_, last_sync_;
};

PlayResult Segment::play() {
  std::set<std::tuple<std::string, std::string, std::int64_t>> recorded;
  for (const SampleRecord& sample : samples_) {
    recorded.insert({sample.task, sample.question_id, sample.attempt});
  }
  std::vector<Attempt> attempts;
  for (const Attempt& attempt : plan_.attempts()) {
    const PlannedTask& task = plan_.tasks[attempt.task];
    if (!recorded.contains({task.task.name, task.questions[attempt.question].id, attempt.index})) {
      attempts.push_back(attempt);
    }
  }
  // The null client is what the overhead is measured with.
  const bool with_overhead = record_.engine.name != "null" && !attempts.empty();
  const double overhead_ms = with_overhead ? measure_overhead_ms(plan_, attempts) : 0;

  const auto segment = static_cast<std::int64_t>(record_.segments.size());
  record_.segments.push_back({utc_now(), "", 0, std::nullopt});
  const std::vector<std::string> gpus = gpus_of(record_.engine);
  energy_.emplace(find_energy_sources(gpus));
  gpus_.emplace(gpus);
  record_energy();  // a run that is killed says why its energy is not known, too
  write(RunStatus::kRunning);

  PlayListener listener;
  listener.finished = [this](const Attempt&, SampleRecord sample) { finished(std::move(sample)); };
  listener.tick = [this](std::int64_t output_tokens) { tick(output_tokens); };
  listener.should_stop = interrupted;
  // The earlier samples are copied: the player reads them while finished() appends.
  const std::vector<SampleRecord> earlier = samples_;
  start_ = last_write_ = last_sync_ = Clock::now();
  const double cpu_before = process_cpu_seconds();
  const PlayResult result = moebench::play(plan_, attempts, client_, segment, earlier, listener);
  record_.segments.back().cpu_seconds = process_cpu_seconds() - cpu_before;
  record_.segments.back().gpus = gpus_->look();
  record_energy();
  display_.clear();
  for (std::string& warning : throttle_warnings(record_.segments.back().gpus)) {
    announce_(warning, true);
    record_.warnings.push_back(std::move(warning));
  }

  take_steps();
  record_.segments.back().ended_utc = utc_now();
  record_.segments.back().wall_seconds = result.wall_seconds;
  if (with_overhead && result.wall_seconds > 0) {
    record_.overhead =
        OverheadRecord{overhead_ms, overhead_ms * static_cast<double>(state_.done_now) / 1000 /
                                        result.wall_seconds};
  }
  return result;
}

void Segment::finished(SampleRecord sample) {
  sample_log_->append(sample);
  count(sample);
  ++state_.done_now;
  state_.task = sample.task;
  samples_.push_back(std::move(sample));
}

void Segment::tick(std::int64_t output_tokens) {
  state_.elapsed_seconds = elapsed_seconds();
  state_.output_tokens = output_tokens;
  display_.show(state_);
  take_steps();
  if (Clock::now() - last_sync_ >= kSyncEvery) {
    sample_log_->sync();
    last_sync_ = Clock::now();
  }
  record_energy();
  gpus_->poll();
  if (Clock::now() - last_write_ >= kRecordEvery) {
    record_.segments.back().wall_seconds = state_.elapsed_seconds;
    record_.segments.back().gpus = gpus_->look();
    write(RunStatus::kRunning);
    last_write_ = Clock::now();
  }
}

void Segment::take_steps() {
  const auto segment = static_cast<std::int64_t>(record_.segments.size()) - 1;
  const std::vector<StepSample> steps = step_samples(client_.take_step_records(), start_, segment);
  if (step_log_) {
    for (const StepSample& step : steps) step_log_->append(step);
  }
  add_steps(record_.steps, summarize_steps(steps));
  for (std::string& warning : client_.take_warnings()) {
    display_.clear();
    announce_(warning, true);
    record_.warnings.push_back(std::move(warning));
  }
}

void Segment::record_energy() {
  record_.energy = earlier_energy_;
  add_energy(record_.energy, energy_->readings());
  record_.energy_note = energy_->note();
  for (std::size_t i = 0; i + 1 < record_.segments.size(); ++i) {
    if (record_.segments[i].ended_utc.empty() && !record_.energy.empty()) {
      record_.energy_note =
          "A part of the run was killed; the energy of its last seconds is missing.";
    }
  }
}

void Segment::write(RunStatus status) {
  record_.status = status;
  record_.ended_utc = status == RunStatus::kRunning ? "" : utc_now();
  record_.peak_memory_bytes = peak_memory_bytes() + client_.peak_memory_bytes_elsewhere();
  record_.expert_load = add_expert_load(earlier_load_, client_.expert_token_counts(),
                                        record_.model.moe_layers, record_.model.experts);
  for (TaskRecord& task : record_.tasks) task.counts = count_verdicts(samples_, task.name);
  record_.retries = count_retries(samples_);
  write_run_record(directory_, record_);
}

// Turns a run whose every attempt is recorded into a complete one: from here on its files, times
// apart, don't tell how often it was interrupted. Killed in between, it is done again on resume.
void complete_run(RunRecord& record, const RunPlan& plan, const path& directory,
                  std::vector<SampleRecord>& samples, const Announce& announce) {
  put_in_order(plan, samples);
  write_samples(directory, samples);
  for (TaskRecord& task : record.tasks) task.counts = count_verdicts(samples, task.name);
  record.retries = count_retries(samples);
  record.results_sha256 = results_sha256(samples);
  const std::vector<std::string> warnings = result_warnings(record, samples);
  for (const std::string& warning : warnings) announce(warning, true);
  add_warnings(record, warnings);
  record.status = RunStatus::kComplete;
  record.ended_utc = utc_now();
  write_run_record(directory, record);
}

RunOutcome play_and_record(RunRecord& record, const RunPlan& plan, EngineClient& client,
                           const path& directory, std::vector<SampleRecord> samples,
                           const RunSettings& settings, const Announce& announce) {
  RunOutcome outcome;
  outcome.directory = directory;
  outcome.planned = static_cast<std::int64_t>(plan.attempts().size());
  Segment segment(record, plan, client, directory, std::move(samples), settings.step_log, announce);
  const std::string resume = "moebench run --resume " + directory.string();
  try {
    const InterruptGuard guard;
    const PlayResult result = segment.play();
    outcome.answered = segment.answered();
    outcome.dropped = result.dropped;
    outcome.interrupted = interrupted() && outcome.answered < outcome.planned;
    segment.write(RunStatus::kPartial);
    if (outcome.answered == outcome.planned) {
      complete_run(record, plan, directory, segment.close_log(), announce);
    }
  } catch (const Error& error) {
    try {
      segment.write(RunStatus::kPartial);
    } catch (const Error&) {
      // The disk that failed may fail again; run.json then still says "running", which readers take
      // for partial.
    }
    throw Error(error.code(),
                std::string(error.what()) + "\n  " + std::to_string(segment.answered()) + " of " +
                    std::to_string(outcome.planned) + " answers are kept in " + directory.string(),
                (error.remedy().empty() ? "mend the cause" : error.remedy()) + "; then " + resume);
  }
  return outcome;
}

void refuse_existing_run(const path& directory) {
  if (!std::filesystem::exists(directory / "run.json") &&
      !std::filesystem::exists(directory / "samples.jsonl")) {
    return;
  }
  throw Error(ErrorCode::kUsage, directory.string() + ": holds a run already",
              "moebench run --resume " + directory.string() + ", or another -o");
}

}  // namespace

RunOutcome start_run(const Settings& requested, const path& directory, const Announce& announce) {
  const RunSettings settings = parse_run_settings(requested);
  RunPlan plan = make_plan(settings);
  for (const std::string& warning : plan.warnings) announce(warning, true);
  refuse_existing_run(directory);
  announce("loading " + settings.model, false);
  const std::unique_ptr<EngineClient> client = load_client(settings, directory);

  const RunDirectoryLock lock(directory);
  refuse_existing_run(directory);  // somebody else's, made while the model was loading
  RunRecord record = new_record(requested, settings, plan, client->info());
  record.run_id = directory.filename().empty() ? directory.parent_path().filename().string()
                                               : directory.filename().string();
  plan.started_unix_seconds = started_unix_seconds(record);
  // From here on the run can be resumed.
  write_run_record(directory, record);
  announce(describe_run(record), false);
  return play_and_record(record, plan, *client, directory, {}, settings, announce);
}

RunOutcome resume_run(const path& directory, const Settings& typed, const Announce& announce) {
  if (!std::filesystem::exists(directory / "run.json")) {
    throw Error(ErrorCode::kUsage, directory.string() + ": holds no run.json, so there is no run",
                "moebench run --model M --tasks T -o " + directory.string());
  }
  const RunDirectoryLock lock(directory);
  LoadedRun loaded = load_run(directory);
  for (const std::string& warning : loaded.warnings) announce(warning, true);
  loaded.run.requested = resume_settings(loaded.run.requested, typed);
  const RunSettings settings = parse_run_settings(loaded.run.requested);
  RunPlan plan = make_plan(settings);
  refuse_other_plan(loaded.run, plan, directory.string());
  refuse_foreign_samples(loaded.samples, plan, directory.string());
  plan.started_unix_seconds = started_unix_seconds(loaded.run);

  const auto recorded = static_cast<std::int64_t>(loaded.samples.size());
  const auto planned = static_cast<std::int64_t>(plan.attempts().size());
  if (recorded == planned && loaded.run.status == RunStatus::kComplete) {
    announce(directory.string() + ": complete, nothing is left to do", false);
    return {directory, recorded, planned, 0, false};
  }
  close_killed_segment(loaded.run, loaded.samples);
  if (recorded == planned) {
    complete_run(loaded.run, plan, directory, loaded.samples, announce);
    return {directory, recorded, planned, 0, false};
  }
  announce("resuming " + directory.string() + ": " + std::to_string(recorded) + " of " +
               std::to_string(planned) + " answers are there; loading " + settings.model,
           false);
  const std::unique_ptr<EngineClient> client = load_client(settings, directory);
  for (const std::string& warning : refuse_other_engine(loaded.run, settings, client->info())) {
    announce(warning, true);
    add_warnings(loaded.run, {warning});
  }
  return play_and_record(loaded.run, plan, *client, directory, std::move(loaded.samples), settings,
                         announce);
}

}  // namespace moebench
