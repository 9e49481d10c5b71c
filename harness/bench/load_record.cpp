#include "harness/bench/load_record.h"

#include <algorithm>

#include "engine/base/error.h"
#include "harness/clients/null_client.h"
#include "harness/environment/environment.h"
#include "harness/environment/gpu_watch.h"
#include "harness/run/record_parts.h"
#include "harness/run/run_directory.h"
#include "reports/metrics/throughput.h"

namespace moebench {

namespace {

constexpr auto kNoTick = [](std::int64_t) {};

// What the harness itself takes a request: the same requests, answered at once.
double overhead_ms(const LoadRequests& load) {
  const auto count = static_cast<std::int64_t>(load.requests.size());
  NullClient client(count, std::chrono::milliseconds(0));
  const LoadResult played = play_load(client, load, {}, 0, kNoTick);
  double last_ms = 0;
  for (const SampleRecord& sample : played.samples)
    last_ms = std::max(last_ms, sample.timing.issued_ms + sample.timing.last_token_ms.value_or(0));
  return last_ms / static_cast<double>(count);
}

void warm_up(EngineClient& client, const LoadRequests& load) {
  LoadRequests first;
  first.task = load.task;
  first.requests = {load.requests.front()};
  first.question_ids = {load.question_ids.front()};
  play_load(client, first, {}, 0, kNoTick);
}

LoadRecord load_record(const LoadRequests& load, const Arrivals& arrivals, std::uint64_t seed) {
  LoadRecord record;
  record.arrivals = arrivals.kind == Arrivals::Kind::kOffline       ? "offline"
                    : arrivals.kind == Arrivals::Kind::kConcurrency ? "concurrency"
                                                                    : "poisson";
  record.requests_per_second = arrivals.requests_per_second;
  record.max_in_flight = arrivals.max_in_flight;
  record.seed = seed;
  record.prompts = load.words;
  return record;
}

}  // namespace

MeasuredLoad measure_load(EngineClient& client, const RunRecord& base, const LoadRequests& load,
                          const Arrivals& arrivals, std::uint64_t seed,
                          const std::function<void(std::int64_t done)>& tick) {
  MeasuredLoad measured;
  RunRecord& record = measured.run.run;
  record = base;
  record.load = load_record(load, arrivals, seed);
  record.tasks = {load.task};
  const double harness_ms = overhead_ms(load);
  warm_up(client, load);
  client.take_warnings();  // of the warm-up

  std::vector<std::int64_t> routed_before = client.expert_token_counts();
  record.started_utc = utc_now();
  const std::vector<std::string> gpus = gpus_of(record.engine);
  EnergyMeter meter(find_energy_sources(gpus));
  GpuWatch watch(gpus);
  LoadResult played = play_load(client, load, arrivals, seed, [&](std::int64_t done) {
    meter.poll();
    watch.poll();
    tick(done);
  });
  record.energy = meter.readings();
  record.energy_note = meter.note();
  const std::vector<GpuClocks> clocks = watch.look();
  record.ended_utc = utc_now();

  std::vector<std::int64_t> routed = client.expert_token_counts();
  if (routed.size() == routed_before.size()) {
    for (std::size_t i = 0; i < routed.size(); ++i) routed[i] -= routed_before[i];
  }
  record.expert_load = add_expert_load({}, routed, record.model.moe_layers, record.model.experts);
  measured.steps = step_samples(played.steps, played.start, 0);
  record.steps = summarize_steps(measured.steps);
  measured.run.samples = std::move(played.samples);
  const double wall = wall_seconds(measured.run.samples);
  record.segments = {{record.started_utc, record.ended_utc, wall, std::nullopt, clocks}};
  for (std::string& warning : throttle_warnings(clocks))
    record.warnings.push_back(std::move(warning));
  for (std::string& warning : client.take_warnings()) record.warnings.push_back(std::move(warning));
  record.retries = count_retries(measured.run.samples);
  record.peak_memory_bytes = peak_memory_bytes();
  if (record.engine.name != "null" && wall > 0) {
    const auto count = static_cast<double>(load.requests.size());
    record.overhead = OverheadRecord{harness_ms, harness_ms * count / 1000 / wall};
  }
  const auto failed = std::count_if(measured.run.samples.begin(), measured.run.samples.end(),
                                    [](const SampleRecord& s) { return !s.failure.empty(); });
  if (failed > 0) {
    const auto first = std::find_if(measured.run.samples.begin(), measured.run.samples.end(),
                                    [](const SampleRecord& s) { return !s.failure.empty(); });
    record.warnings.push_back(std::to_string(failed) + " of " +
                              std::to_string(load.requests.size()) + " requests failed; " +
                              first->question_id + ": " + first->failure);
  }
  record.status = RunStatus::kComplete;
  return measured;
}

void write_load(const std::filesystem::path& directory, const MeasuredLoad& measured) {
  if (std::filesystem::exists(directory / "run.json") ||
      std::filesystem::exists(directory / "samples.jsonl")) {
    throw Error(ErrorCode::kUsage, directory.string() + ": holds a run already",
                "another --record folder");
  }
  const RunDirectoryLock lock(directory);
  RunRecord record = measured.run.run;
  record.run_id = directory.filename().string();
  JsonLinesWriter samples(directory / "samples.jsonl");
  for (const SampleRecord& sample : measured.run.samples) samples.append(sample);
  JsonLinesWriter steps(directory / "steps.jsonl");
  for (const StepSample& step : measured.steps) steps.append(step);
  write_run_record(directory, record);
}

}  // namespace moebench
