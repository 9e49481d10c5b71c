#include "harness/gate/two_programs.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <iterator>
#include <limits>
#include <map>

#include "engine/base/error.h"
#include "harness/gate/divergence.h"
#include "harness/gate/program.h"
#include "reports/metrics/throughput.h"
#include "reports/render/cells.h"

namespace moebench {
namespace {

using Clock = std::chrono::steady_clock;
using std::filesystem::path;

constexpr const char* kCpuTime = "cpu_ms_per_token";
// Running in turn is judged after every so many rounds, and given up where it would take more than
// so many: both at once need about a dozen.
constexpr std::size_t kLeastRoundsToJudge = 4;
constexpr int kMostRoundsInTurn = 20;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

struct Side {
  std::string name;  ///< "the baseline (PATH)"
  path program;
  std::string folder;  ///< "a"
};

std::vector<std::string> run_arguments(const Settings& settings, const path& directory) {
  std::vector<std::string> arguments = {"run"};
  for (const auto& [name, value] : settings) {
    if (value == "false") continue;
    arguments.push_back("--" + name);
    if (value != "true") arguments.push_back(value);
  }
  arguments.insert(arguments.end(), {"-o", directory.string()});
  return arguments;
}

int threads_of(const Settings& settings) {
  const auto threads = settings.find("threads");
  return threads == settings.end() ? 0 : std::atoi(threads->second.c_str());
}

struct PlayedRun {
  LoadedRun run;
  double cpu_seconds = 0;  ///< of the whole process
};

class Gate {
 public:
  Gate(const TwoPrograms& gate, const path& scratch)
      : gate_(gate),
        scratch_(scratch),
        a_{"the baseline (" + gate.baseline.string() + ")", gate.baseline, "a"},
        b_{"the candidate (" + gate.candidate.string() + ")", gate.candidate, "b"} {}

  GateResult result() &&;

 private:
  PlayedRun play(const Side& side, const Settings& settings, const std::string& what,
                 const std::vector<int>& cpus);
  void check();
  void time();
  std::pair<PlayedRun, PlayedRun> play_round(int round, const std::vector<int>& cpus);
  void add_round(const std::vector<int>& cpus);
  bool running_in_turn_is_hopeless() const;
  void go_together();
  void decide();
  void not_measured();
  bool is_wrong() const { return overall_verdict(result_) == GateVerdict::kFail; }
  void compare_with_first(const Side& side, const LoadedRun& run);
  double seconds_left() const { return gate_.settings.budget_seconds - seconds_since(begin_); }

  const TwoPrograms& gate_;
  const path scratch_;
  const Side a_, b_;
  const Clock::time_point begin_ = Clock::now();
  GateResult result_;
  std::vector<GateRound> rounds_;
  bool together_ = false, may_run_together_ = true;
  std::map<std::string, LoadedRun> first_runs_;  // by side, of the timing's settings
};

PlayedRun Gate::play(const Side& side, const Settings& settings, const std::string& what,
                     const std::vector<int>& cpus) {
  const path directory = scratch_ / (what + "-" + side.folder);
  ProgramCall call;
  call.name = side.name;
  call.program = side.program;
  call.arguments = run_arguments(settings, directory);
  call.error_file = scratch_ / (what + "-" + side.folder + ".stderr");
  call.timeout_seconds = gate_.settings.run_timeout_seconds;
  call.budget_seconds = std::max(0.0, seconds_left());
  call.cpus = cpus;
  const ProgramResult done = run_program(call);
  PlayedRun played{load_run(directory), done.cpu_seconds};
  if (played.run.run.status != RunStatus::kComplete)
    throw Error(ErrorCode::kIo, side.name + " left an incomplete run in " + directory.string());
  return played;
}

void Gate::check() {
  gate_.announce("checking outputs and accuracy: " + gate_.settings.check.at("tasks"));
  // Both at once: nothing is timed here.
  std::future<PlayedRun> begun = std::async(
      std::launch::async, [this] { return play(a_, gate_.settings.check, "check", {}); });
  const LoadedRun b = play(b_, gate_.settings.check, "check", {}).run;
  const LoadedRun a = begun.get().run;
  refuse_unlike(a, b, a_.program.string(), b_.program.string());
  result_.outputs = compare_outputs(a, b);
  result_.accuracy =
      compare_accuracy(a, b, {gate_.settings.accuracy_minimum_effect, gate_.settings.alpha});
  if (result_.outputs->changed > 0) {
    gate_.announce(result_.outputs->because + "; looking for the token");
    try {
      result_.outputs->divergence = find_divergence(*result_.outputs->first, gate_.settings,
                                                    a_.program, b_.program, scratch_);
    } catch (const Error& error) {
      result_.notes.push_back(std::string("the first differing token was not found: ") +
                              error.what());
    }
  }
}

// The same program, the same questions: anything else than the same outputs is a defect.
void Gate::compare_with_first(const Side& side, const LoadedRun& run) {
  const auto first = first_runs_.find(side.folder);
  if (first == first_runs_.end()) {
    first_runs_.emplace(side.folder, run);
    return;
  }
  OutputsFinding finding = compare_outputs(first->second, run);
  if (finding.changed == 0) return;
  finding.because = side.name + " is not deterministic: " + std::to_string(finding.changed) +
                    " of " + std::to_string(finding.compared) +
                    " outputs differ between two of its runs";
  finding.verdict = GateVerdict::kFail;
  result_.outputs = std::move(finding);
}

std::pair<PlayedRun, PlayedRun> Gate::play_round(int round, const std::vector<int>& cpus) {
  const bool a_first = round % 2 == 0;  // A B, B A, A B, ...
  const std::string what = (together_ ? "together" : "round") + std::to_string(round);
  const auto play_one = [&](const Side& side) {
    return play(side, gate_.settings.timing, what, cpus);
  };
  const Side &first = a_first ? a_ : b_, &second = a_first ? b_ : a_;
  PlayedRun one, other;
  if (together_) {
    std::future<PlayedRun> begun = std::async(std::launch::async, play_one, std::cref(first));
    other = play_one(second);  // an exception waits for the first to end
    one = begun.get();
  } else {
    one = play_one(first);
    other = play_one(second);
  }
  if (gate_.keep.empty()) {
    std::error_code ignored;
    for (const Side* side : {&a_, &b_})
      std::filesystem::remove_all(scratch_ / (what + "-" + side->folder), ignored);
  }
  if (a_first) return {std::move(one), std::move(other)};
  return {std::move(other), std::move(one)};
}

void Gate::add_round(const std::vector<int>& cpus) {
  const auto [a, b] = play_round(static_cast<int>(rounds_.size()), cpus);
  if (first_runs_.empty()) refuse_unlike(a.run, b.run, a_.program.string(), b_.program.string());
  compare_with_first(a_, a.run);
  compare_with_first(b_, b.run);
  GateRound figures{gate_figures(a.run), gate_figures(b.run)};
  // Builds that don't record their CPU time are judged by the whole process', loading included.
  if (!figures.baseline.contains(kCpuTime) || !figures.candidate.contains(kCpuTime)) {
    may_run_together_ = false;
    const auto per_token = [](const PlayedRun& played) {
      const TokenTotals tokens = count_tokens(played.run.samples);
      return played.cpu_seconds * 1000 /
             static_cast<double>(tokens.computed_prompt_tokens() + tokens.output_tokens);
    };
    figures.baseline[kCpuTime] = per_token(a);
    figures.candidate[kCpuTime] = per_token(b);
  }
  rounds_.push_back(std::move(figures));
}

bool Gate::running_in_turn_is_hopeless() const {
  const std::size_t done = rounds_.size();
  if (together_ || !may_run_together_ || gate_.settings.interleaving != Interleaving::kAuto ||
      done < kLeastRoundsToJudge || done % kLeastRoundsToJudge != 0)
    return false;
  return rounds_needed(rounds_, gate_.settings.metrics, kCpuTime, gate_.settings.alpha) >
         kMostRoundsInTurn;
}

void Gate::go_together() {
  gate_.announce("the ratios vary too much for running in turn; going on with both at once");
  result_.notes.push_back(
      "This machine is too busy to time programs one after the other: after " +
      std::to_string(rounds_.size()) +
      " rounds the gate went on with both at once on one core. Wall-clock figures can show a "
      "worsening there, but not exclude one.");
  together_ = true;
  rounds_.clear();
}

void Gate::decide() {
  result_.rounds = static_cast<int>(rounds_.size());
  if (rounds_.empty()) return;
  result_.source = together_ ? "Both programs ran at once on one core of this machine, started in "
                               "turn (A B B A); the intervals are exact signed-rank intervals over "
                               "the rounds."
                             : "Both programs ran in turn (A B B A) on this machine; the intervals "
                               "are exact signed-rank intervals over the rounds.";
  result_.timing = decide_timing(rounds_, gate_.settings.metrics, gate_.settings.alpha);
  if (together_) trust_only_worsenings_of_wall_clock(result_.timing);
}

void Gate::not_measured() {
  for (const GatedMetric& metric : gate_.settings.metrics) {
    if (!metric.required) continue;
    TimingFinding finding;
    finding.metric = metric;
    finding.interval = {-std::numeric_limits<double>::infinity(),
                        std::numeric_limits<double>::infinity()};
    finding.because = "not measured: the time was over";
    result_.timing.push_back(std::move(finding));
  }
}

void Gate::time() {
  const std::vector<int> cpus = cpus_to_pin(threads_of(gate_.settings.timing));
  const std::string where =
      cpus.empty() ? "not pinned" : "pinned to CPU " + std::to_string(cpus[0]);
  together_ = gate_.settings.interleaving == Interleaving::kTogether;
  gate_.announce(std::string("timing, ") + (together_ ? "together, " : "in turn, ") + where);
  play(a_, gate_.settings.timing, "warm-up", cpus);
  play(b_, gate_.settings.timing, "warm-up", cpus);
  double longest_round = 0;
  std::size_t looks = 0;
  int look = next_look(1);
  while (look > 0) {
    const Clock::time_point begin = Clock::now();
    add_round(cpus);
    longest_round = std::max(longest_round, seconds_since(begin));
    if (result_.outputs && result_.outputs->verdict == GateVerdict::kFail) break;
    const bool time_is_up = seconds_left() < 1.5 * longest_round;
    const int done = static_cast<int>(rounds_.size());
    if (done < look && !time_is_up) {
      if (running_in_turn_is_hopeless()) {
        go_together();
        longest_round = 0;
      }
      continue;
    }
    decide();
    // The level is divided by the number of looks, whatever the way of running before each.
    if (time_is_up || timing_is_decided(result_.timing) || ++looks == std::size(kLooks)) break;
    gate_.announce(std::to_string(done) + " rounds: not decided yet");
    look = next_look(done + 1);
    if (running_in_turn_is_hopeless()) {
      go_together();
      longest_round = 0;
      look = next_look(1);
    }
  }
}

GateResult Gate::result() && {
  result_.baseline = gate_.baseline.string();
  result_.candidate = gate_.candidate.string();
  result_.alpha = gate_.settings.alpha;
  result_.source = "Both programs answered the same questions on this machine.";
  try {
    if (gate_.outputs_and_accuracy) check();
    if (gate_.timing && !is_wrong()) time();
  } catch (const BudgetOver&) {
    result_.notes.push_back("The budget of " + format_fixed(gate_.settings.budget_seconds, 0) +
                            " s was over before enough was measured.");
    decide();
  }
  if (gate_.timing && is_wrong() && result_.timing.empty())
    result_.notes.push_back(
        "No timing was measured: a program that answers otherwise has no speed "
        "to compare.");
  // A gate that wanted a figure and has none must not pass.
  if (gate_.timing && result_.timing.empty() && !is_wrong()) not_measured();
  result_.seconds = seconds_since(begin_);
  return std::move(result_);
}

}  // namespace

GateResult gate_two_programs(const TwoPrograms& gate) {
  const ScratchFolder scratch(gate.keep);
  return Gate(gate, scratch.path()).result();
}

}  // namespace moebench
