#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "harness/cli/commands.h"
#include "harness/cli/console.h"
#include "harness/cli/document_output.h"
#include "harness/cli/run_reports.h"
#include "harness/gate/instructions.h"
#include "harness/gate/program.h"
#include "harness/gate/two_programs.h"
#include "harness/run/interrupt.h"
#include "reports/gate/ci_formats.h"
#include "reports/gate/gate.h"
#include "reports/gate/machine.h"
#include "reports/gate/unpaired_timing.h"
#include "reports/history/trend.h"

namespace moebench {
namespace {

struct GateArguments {
  std::string baseline_bin, candidate_bin, gate_file, history, junit, keep;
  std::string baseline_counts, write_counts;
  std::vector<std::string> baseline_runs, candidate_runs, google_benchmark, only, program_arguments;
  bool instructions = false, github = false, is_google_benchmark = false;
  std::optional<double> budget_seconds, minimum_effect_percent;
  std::optional<std::string> model, tasks, limit, threads;
  DocumentTarget target;
};

constexpr const char* kFooter = R"(Examples:
  moebench gate --baseline-bin old/moebench --candidate-bin build/moebench
      Both programs in turn on this machine: outputs, accuracy, speed, memory.
  moebench gate --baseline runs/main --candidate runs/branch
      Two stored runs (or several a side). Timings of different machines are inconclusive.
  moebench gate --history history.sqlite
      Did a figure get worse at one of the last commits?
  moebench gate --google-benchmark old.json new.json
  moebench gate --google-benchmark --baseline old/*.json --candidate new/*.json
      Results of Google Benchmark, with repetitions; of several starts of the program a side.
  moebench gate --instructions --baseline-bin old/bench --candidate-bin new/bench -- ARGUMENTS
      Instructions of one start of each, counted by callgrind: the same on every machine load.

Verdicts: pass, fail (a worsening that is significant and reaches its minimum effect, or a changed
output) and inconclusive. Two equal programs fail with a chance of at most 1 %.
Exit codes: 0 pass, 1 fail, 2 usage, 3 a program crashed or hung, 4 inconclusive.
On GitHub, annotations go to stdout and the summary to $GITHUB_STEP_SUMMARY.)";

std::string read_file(const std::filesystem::path& file) {
  constexpr std::uintmax_t kMaxBytes = 256u << 20;
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error))
    throw Error(ErrorCode::kUsage, file.string() + ": there is no such file");
  if (std::filesystem::file_size(file, error) > kMaxBytes)
    throw Error(ErrorCode::kConfiguration, file.string() + ": is larger than 256 MiB");
  std::ifstream in(file, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (!in.eof() && in.fail()) throw Error(ErrorCode::kIo, file.string() + ": can't be read");
  return text;
}

GateSettings settings_of(const GateArguments& arguments) {
  GateSettings settings =
      arguments.gate_file.empty()
          ? default_gate_settings()
          : parse_gate_file(read_file(arguments.gate_file), arguments.gate_file);
  for (Settings* run : {&settings.check, &settings.timing}) {
    if (arguments.model) (*run)["model"] = *arguments.model;
    if (arguments.tasks) (*run)["tasks"] = *arguments.tasks;
  }
  if (arguments.limit) {
    settings.check["limit"] = *arguments.limit;
    settings.timing["limit"] = *arguments.limit;
  }
  if (arguments.threads) settings.timing["threads"] = *arguments.threads;
  if (arguments.budget_seconds) settings.budget_seconds = *arguments.budget_seconds;
  if (arguments.minimum_effect_percent) {
    for (GatedMetric& metric : settings.metrics)
      metric.minimum_effect = *arguments.minimum_effect_percent / 100;
    settings.instructions_minimum_effect = *arguments.minimum_effect_percent / 100;
  }
  for (const Settings* run : {&settings.check, &settings.timing})
    if (!run->contains("model") || !run->contains("tasks"))
      throw Error(ErrorCode::kConfiguration,
                  arguments.gate_file + ": \"check\" and \"timing\" need a model and tasks");
  return settings;
}

bool wanted(const GateArguments& arguments, const std::string& what) {
  return arguments.only.empty() ||
         std::find(arguments.only.begin(), arguments.only.end(), what) != arguments.only.end();
}

GateResult gate_instruction_counts(const GateArguments& arguments, const GateSettings& settings) {
  InstructionGate gate;
  gate.candidate = arguments.candidate_bin;
  gate.baseline = arguments.baseline_bin;
  gate.arguments = arguments.program_arguments;
  gate.settings = settings;
  gate.keep = arguments.keep;
  if (!arguments.baseline_counts.empty()) {
    gate.stored = read_instruction_file(arguments.baseline_counts);
    if (!arguments.write_counts.empty()) {
      gate.stored = count_again(*gate.stored, gate.candidate, settings);
      write_file(arguments.write_counts, to_json(*gate.stored));
    }
  }
  return gate_instructions(gate);
}

GateResult gate_programs(const GateArguments& arguments, const GateSettings& settings) {
  if (arguments.instructions) return gate_instruction_counts(arguments, settings);
  TwoPrograms gate;
  gate.baseline = arguments.baseline_bin;
  gate.candidate = arguments.candidate_bin;
  gate.settings = settings;
  gate.keep = arguments.keep;
  gate.outputs_and_accuracy = wanted(arguments, "outputs") || wanted(arguments, "accuracy");
  gate.timing = wanted(arguments, "timing");
  gate.announce = [](const std::string& text) { print_note("gate: " + text); };
  GateResult result = gate_two_programs(gate);
  if (!wanted(arguments, "outputs")) result.outputs.reset();
  if (!wanted(arguments, "accuracy")) result.accuracy.reset();
  return result;
}

GateResult gate_records(const GateArguments& arguments, const GateSettings& settings) {
  const auto load = [](const std::vector<std::string>& paths) {
    std::vector<LoadedRun> runs;
    for (const std::string& path : paths) {
      runs.push_back(load_run(path));
      for (const std::string& warning : runs.back().warnings) print_warning(warning);
    }
    return runs;
  };
  const std::vector<LoadedRun> baselines = load(arguments.baseline_runs);
  const std::vector<LoadedRun> candidates = load(arguments.candidate_runs);
  for (std::size_t i = 0; i < baselines.size(); ++i)
    refuse_unlike(baselines[i], candidates[0], arguments.baseline_runs[i],
                  arguments.candidate_runs[0]);
  for (std::size_t i = 1; i < candidates.size(); ++i)
    refuse_unlike(baselines[0], candidates[i], arguments.baseline_runs[0],
                  arguments.candidate_runs[i]);
  GateResult result;
  result.baseline = arguments.baseline_runs[0];
  result.candidate = arguments.candidate_runs[0];
  result.alpha = settings.alpha;
  result.source = "Stored records; outputs and accuracy of the first record of each side.";
  const std::vector<std::string> differences =
      machine_differences(baselines[0].run, candidates[0].run);
  for (const std::string& difference : differences)
    result.notes.push_back("the machines differ in " + difference);
  if (wanted(arguments, "outputs")) {
    result.outputs = compare_outputs(baselines[0], candidates[0]);
    doubt_outputs_of_other_builds(*result.outputs, baselines[0].run, candidates[0].run);
  }
  if (wanted(arguments, "accuracy"))
    result.accuracy = compare_accuracy(baselines[0], candidates[0],
                                       {settings.accuracy_minimum_effect, settings.alpha});
  if (wanted(arguments, "timing"))
    result.timing = decide_stored(baselines, candidates, settings, differences);
  return result;
}

std::string first_and_count(const std::vector<std::string>& paths) {
  return paths.size() == 1 ? paths[0]
                           : paths[0] + " and " + std::to_string(paths.size() - 1) + " more";
}

GateResult gate_google_benchmark(const GateArguments& arguments, const GateSettings& settings) {
  std::vector<std::string> old_files = arguments.baseline_runs,
                           new_files = arguments.candidate_runs;
  if (!arguments.google_benchmark.empty()) {
    old_files = {arguments.google_benchmark[0]};
    new_files = {arguments.google_benchmark[1]};
  }
  GateResult result;
  result.baseline = first_and_count(old_files);
  result.candidate = first_and_count(new_files);
  result.alpha = settings.alpha;
  result.source =
      "CPU time of each repetition, or what UseManualTime gave (aggregates left out); exact "
      "rank-sum intervals, corrected for the number of benchmarks. Repetitions tell the noise "
      "within one start of the program, not between two: give the files of several starts, made in "
      "turn, or gate on --instructions.";
  const auto pool = [&](const std::vector<std::string>& files, const std::string& side) {
    std::vector<GoogleBenchmarkFile> parsed;
    std::set<std::string> seen;
    for (const std::string& file : files) {
      if (!seen.insert(file).second)
        throw Error(ErrorCode::kUsage, "the " + side + " names " + file + " twice",
                    "each file once: what is counted twice tells nothing new");
      parsed.push_back(parse_google_benchmark(read_file(file), file));
    }
    return pool_google_benchmark(parsed, files, side, result.notes);
  };
  const GoogleBenchmarkFile baseline = pool(old_files, "baseline");
  const GoogleBenchmarkFile candidate = pool(new_files, "candidate");
  result.timing = compare_google_benchmark(
      baseline, candidate, arguments.minimum_effect_percent.value_or(3) / 100, settings.alpha,
      settings.stored_minimum_effect, result.notes);
  return result;
}

void append_file(const std::filesystem::path& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "ab");
  bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file != nullptr) written = std::fclose(file) == 0 && written;
  if (!written) throw Error(ErrorCode::kIo, path.string() + ": cannot be appended to");
}

bool in_environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

ExitCode gate(const GateArguments& arguments) {
  const bool programs = !arguments.baseline_bin.empty() || !arguments.candidate_bin.empty();
  const bool google = arguments.is_google_benchmark;
  const bool named = !arguments.baseline_runs.empty() || !arguments.candidate_runs.empty();
  const bool records = named && !google;
  if (google &&
      (named ? !arguments.google_benchmark.empty() : arguments.google_benchmark.size() != 2))
    throw Error(ErrorCode::kUsage, "--google-benchmark takes one file a side, or none of its own",
                "--google-benchmark OLD NEW, or --google-benchmark --baseline OLD... --candidate "
                "NEW...");
  const int sources = static_cast<int>(programs) + static_cast<int>(records) +
                      static_cast<int>(!arguments.history.empty()) + static_cast<int>(google);
  if (sources != 1)
    throw Error(ErrorCode::kUsage,
                sources == 0 ? "nothing to gate" : "a gate has one source, not several",
                "--baseline-bin and --candidate-bin, or --baseline and --candidate, or --history, "
                "or --google-benchmark");
  const bool counts = !arguments.baseline_counts.empty();
  if (counts && (!arguments.instructions || !arguments.baseline_bin.empty()))
    throw Error(ErrorCode::kUsage,
                "--baseline-counts takes the place of --baseline-bin, with --instructions");
  if (!arguments.write_counts.empty() && !counts)
    throw Error(ErrorCode::kUsage,
                "--write-counts needs --baseline-counts, which says what to count");
  if (programs && ((arguments.baseline_bin.empty() && !counts) || arguments.candidate_bin.empty()))
    throw Error(ErrorCode::kUsage, "--baseline-bin and --candidate-bin belong together");
  if (named && (arguments.baseline_runs.empty() || arguments.candidate_runs.empty()))
    throw Error(ErrorCode::kUsage, "--baseline and --candidate belong together");
  if (arguments.instructions && !programs)
    throw Error(ErrorCode::kUsage, "--instructions needs --baseline-bin and --candidate-bin");

  const GateSettings settings = settings_of(arguments);
  GateResult result;
  try {
    const InterruptGuard guard;
    if (programs)
      result = gate_programs(arguments, settings);
    else if (records)
      result = gate_records(arguments, settings);
    else if (google)
      result = gate_google_benchmark(arguments, settings);
    else
      result = gate_trend(HistoryStore(arguments.history, HistoryStore::Access::kRead).runs(),
                          settings, arguments.history);
  } catch (const Interrupted&) {
    print_note("gate: interrupted");
    return ExitCode::kInterrupted;
  }

  const Document report = build_gate_report(result);
  if (!arguments.junit.empty()) write_file(arguments.junit, render_junit(result));
  if (const char* summary = std::getenv("GITHUB_STEP_SUMMARY");
      summary != nullptr && *summary != '\0')
    append_file(summary, render_markdown(report) + "\n");
  write_document(report, report, arguments.target);
  if (arguments.github || in_environment("GITHUB_ACTIONS"))
    write_stdout(render_github_annotations(result));
  print_note("gate: " + gate_headline(result));
  switch (overall_verdict(result)) {
    case GateVerdict::kPass:
      return ExitCode::kHolds;
    case GateVerdict::kFail:
      return ExitCode::kFailed;
    case GateVerdict::kInconclusive:
      break;
  }
  return ExitCode::kInconclusive;
}

}  // namespace

void add_gate_command(CLI::App& app, Action& chosen) {
  const auto a = std::make_shared<GateArguments>();
  CLI::App* sub = app.add_subcommand("gate", "Did a change make it slower, or wrong?");
  sub->footer(kFooter);

  const std::string source = "What to gate (one of them)";
  sub->add_option("--baseline-bin", a->baseline_bin, "The program as it was")
      ->option_text("FILE")
      ->group(source);
  sub->add_option("--candidate-bin", a->candidate_bin, "The program as it is now")
      ->option_text("FILE")
      ->group(source);
  sub->add_option("--baseline", a->baseline_runs,
                  "Stored run(s) to compare with; with --google-benchmark its files")
      ->option_text("RUN...")
      ->group(source);
  sub->add_option("--candidate", a->candidate_runs,
                  "Stored run(s) to judge; with --google-benchmark its files")
      ->option_text("RUN...")
      ->group(source);
  sub->add_option("--history", a->history,
                  "A history file: judge its last runs by the earlier ones")
      ->option_text("FILE")
      ->group(source);
  CLI::Option* google =
      sub->add_option("--google-benchmark", a->google_benchmark,
                      "Two JSON files that Google Benchmark wrote; for several a side (starts of "
                      "the program), --baseline and --candidate name them")
          ->expected(0, 2)
          ->option_text("[OLD NEW]")
          ->group(source);
  sub->add_flag("--instructions", a->instructions,
                "With the two programs: count instructions with callgrind instead of timing; the "
                "programs' arguments follow --")
      ->group(source);
  sub->add_option("--baseline-counts", a->baseline_counts,
                  "With --instructions: stored counts instead of --baseline-bin")
      ->option_text("FILE")
      ->group(source);
  sub->add_option("--write-counts", a->write_counts,
                  "With --baseline-counts: count anew and write them to this file")
      ->option_text("FILE")
      ->group(source);
  sub->add_option("arguments", a->program_arguments, "With --instructions: the programs' arguments")
      ->option_text("ARGUMENT...");

  const std::string how = "How";
  sub->add_option("--gate-file", a->gate_file,
                  "JSON with what to run, minimum effects, levels and times (ci/gate/gate.json)")
      ->option_text("FILE")
      ->group(how);
  sub->add_option("--budget", a->budget_seconds, "Seconds for everything together (120)")
      ->check(CLI::Range(1.0, 86400.0))
      ->option_text("S")
      ->group(how);
  sub->add_option("--minimum-effect", a->minimum_effect_percent,
                  "Percent below which a worsening of any timing never fails (3; each its own in "
                  "the gate file)")
      ->check(CLI::Range(0.01, 1000.0))
      ->option_text("PERCENT")
      ->group(how);
  sub->add_option("--only", a->only, "Only some of: outputs, accuracy, timing")
      ->delimiter(',')
      ->check(CLI::IsMember({"outputs", "accuracy", "timing"}))
      ->option_text("A,B")
      ->group(how);
  const auto setting = [&](const std::string& flags, std::optional<std::string>& value,
                           const std::string& help, const std::string& text) {
    sub->add_option(flags, value, help)->option_text(text)->group(how);
  };
  setting("-m,--model", a->model, "Model of both programs' runs (canary)", "MODEL");
  setting("-t,--tasks", a->tasks, "Tasks of both programs' runs", "A,B,...");
  setting("-n,--limit", a->limit, "Questions of each task", "N");
  setting("--threads", a->threads, "Threads of the timing runs (1)", "N");
  sub->add_option("--keep", a->keep, "Keep all records of the two programs in this new folder")
      ->option_text("DIR")
      ->group(how);

  const std::string where = "Where the result goes";
  sub->add_option("--junit", a->junit, "JUnit XML for a CI system")
      ->option_text("FILE")
      ->group(where);
  sub->add_flag("--github", a->github,
                "GitHub annotations to stdout (the default where $GITHUB_ACTIONS is set)")
      ->group(where);
  add_document_options(*sub, a->target, where);
  sub->callback([a, google, &chosen] {
    a->is_google_benchmark = google->count() > 0;
    std::erase(a->google_benchmark, "");  // what CLI11 makes of an option without a value
    chosen = [a] { return gate(*a); };
  });
}

}  // namespace moebench
