#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "harness/bench/load_record.h"
#include "harness/bench/load_scenario.h"
#include "harness/bench/speed_grid.h"
#include "harness/bench/speed_table.h"
#include "harness/cli/commands.h"
#include "harness/cli/console.h"
#include "harness/cli/document_output.h"
#include "harness/cli/engine_options.h"
#include "harness/clients/engine_client.h"
#include "harness/run/record_parts.h"
#include "harness/run/settings.h"
#include "reports/metrics/throughput.h"
#include "reports/render/render.h"
#include "reports/run_report/load_report.h"

namespace moebench {

namespace {

struct BenchArguments {
  EngineOptions engine;
  RemoteOptions remote;
  SpeedGrid grid;
  std::string format = "md";
  // With --load:
  std::vector<std::string> loads, goodput;
  std::int64_t requests = 64, max_in_flight = 0, repetitions = 1;
  std::optional<std::int64_t> max_tokens;
  std::uint64_t seed = 0;
  std::string task, data, label, record;
  std::optional<double> usd_per_hour;
};

constexpr const char* kFooter = R"(Examples:
  moebench bench --model ./model.gguf
  moebench bench --model canary --prompt-tokens 128,256 --batch 1,32 -o jsonl > speed.jsonl
  moebench bench --model canary --load offline,concurrency:8,poisson:20 --goodput ttft:2000 tpot:80
  moebench bench --model canary --load poisson:20 --task gsm8k-mini --record runs/load

pp512 is the prefill of 512 tokens, tg64 the generation of 64 tokens by one sequence, tg64 x 8 the
same by eight sequences at once (tokens of all together), tg64 @ d4096 behind 4096 tokens. Numbers
are medians; nothing else should run on the machine meanwhile.

With --load, requests are sent to the engine instead, and throughput and latencies are told:
  offline          all at once
  concurrency:N    N in flight, the next one when one ends
  poisson:RATE     RATE a second on average, at random moments, whatever is in flight
Prompts are --prompt-tokens random tokens (the first length) with --generate-tokens generated, or the
questions of --task, which end where the model ends them. The largest --batch is what the engine
decodes together. --record keeps each load as a run's folder that report, compare, cost and claims
take.)";

// A model made for short texts is measured with the longest prompt of 512, 256, ... tokens that it
// takes, unless the user says which.
void fit_default_prompt(BenchArguments& arguments) {
  SpeedGrid& grid = arguments.grid;
  if (is_remote_model(arguments.engine.model) || arguments.engine.model.starts_with("null")) return;
  const std::int64_t most = inspect_model(arguments.engine.model).info.max_context_tokens;
  const std::int64_t generated = arguments.loads.empty() ? 1 : grid.generate_tokens.front() + 1;
  std::int64_t& prompt = grid.prompt_tokens.front();
  while (most > 0 && prompt > 1 && prompt + generated > most) prompt /= 2;
}

EngineOptions engine_options(const BenchArguments& arguments) {
  EngineOptions options = arguments.engine;
  const SpeedGrid& grid = arguments.grid;
  options.max_batch_sequences = 1;
  options.max_context_tokens = 1;
  for (const std::int64_t batch : grid.batches) {
    options.max_batch_sequences = std::max(options.max_batch_sequences, batch);
  }
  for (const std::int64_t tokens : grid.prompt_tokens) {
    options.max_context_tokens = std::max(options.max_context_tokens, tokens + 1);
  }
  for (const std::int64_t tokens : grid.generate_tokens)
    for (const std::int64_t depth : grid.depths)
      options.max_context_tokens = std::max(options.max_context_tokens, depth + tokens + 1);
  if (!arguments.loads.empty()) {
    options.max_context_tokens = grid.prompt_tokens.front() + grid.generate_tokens.front() + 1;
    if (!arguments.task.empty()) options.max_context_tokens = 0;  // what the model allows
  }
  options.prefix_cache = false;  // a repeated prompt must be computed again
  return options;
}

ExitCode bench_grid(const BenchArguments& arguments) {
  const TableFormat format = parse_table_format(arguments.format);
  if (arguments.engine.model.starts_with("null")) {
    throw Error(ErrorCode::kUsage, "the null client has no speed to measure",
                "--model canary, or the path of a checkpoint");
  }
  print_note("loading " + arguments.engine.model);
  const std::unique_ptr<EngineClient> client =
      make_client(engine_options(arguments), arguments.remote);
  const std::vector<SpeedRow> rows =
      measure_speed_grid(*client, arguments.grid, [](const SpeedRow& row) {
        char text[96];
        std::snprintf(text, sizeof text, "%-12s %10.2f tokens/s", row.test.c_str(),
                      median(row.tokens_per_second));
        print_note(text);
      });
  write_stdout(speed_table(client->info(), rows, format));
  return ExitCode::kHolds;
}

// The settings under the names of a run's, for the record; the task's plan is made from them.
Settings load_settings(const BenchArguments& arguments) {
  Settings typed;
  typed["model"] = arguments.engine.model;
  if (!arguments.task.empty()) typed["tasks"] = arguments.task;
  if (!arguments.data.empty()) typed["data"] = arguments.data;
  if (arguments.max_tokens) typed["max-tokens"] = std::to_string(*arguments.max_tokens);
  if (arguments.usd_per_hour) typed["usd-per-hour"] = std::to_string(*arguments.usd_per_hour);
  typed["seed"] = std::to_string(arguments.seed);
  typed["batch-size"] = std::to_string(engine_options(arguments).max_batch_sequences);
  return typed;
}

std::vector<Arrivals> parse_loads(const BenchArguments& arguments) {
  std::vector<Arrivals> loads;
  std::set<std::string> names;
  for (const std::string& text : arguments.loads) {
    Arrivals& arrivals = loads.emplace_back(parse_arrivals(text));
    if (arguments.max_in_flight > 0 && arrivals.kind == Arrivals::Kind::kPoisson)
      arrivals.max_in_flight = arguments.max_in_flight;
    if (!names.insert(arrivals_name(arrivals)).second)
      throw Error(ErrorCode::kUsage, "--load: " + text + " is given twice",
                  "-r N repeats every load");
  }
  return loads;
}

RunPlan load_plan(const BenchArguments& arguments) {
  if (arguments.task.empty()) return {};
  if (arguments.task.find(',') != std::string::npos)
    throw Error(ErrorCode::kUsage, "--task: one task only", "--task gsm8k-mini");
  return make_plan(parse_run_settings(load_settings(arguments)));
}

std::string load_output(const std::vector<LoadedRun>& runs, const RunReportOptions& options,
                        const std::string& format) {
  switch (parse_table_format(format)) {
    case TableFormat::kMarkdown:
      return render_markdown(build_load_report(runs, options));
    case TableFormat::kCsv:
      return table_csv(load_figures(runs, options));
    case TableFormat::kJson:
      return table_json(load_figures(runs, options));
    case TableFormat::kJsonLines:
      return table_json_lines(load_figures(runs, options));
  }
  return {};
}

ExitCode bench_loads(const BenchArguments& arguments, bool format_given) {
  if (format_given) parse_table_format(arguments.format);
  RunReportOptions options;
  options.usd_per_hour = arguments.usd_per_hour;
  options.goodput = parse_service_level(arguments.goodput);
  const std::vector<Arrivals> loads = parse_loads(arguments);
  const RunPlan plan = load_plan(arguments);
  print_note("loading " + arguments.engine.model);
  RemoteOptions remote = arguments.remote;
  if (!arguments.record.empty())
    remote.launch_log = std::filesystem::path(arguments.record) / "server.log";
  const std::unique_ptr<EngineClient> client = make_client(engine_options(arguments), remote);
  const SpeedGrid& grid = arguments.grid;
  const LoadRequests requests =
      plan.tasks.empty()
          ? random_requests(client->info().engine, arguments.requests, grid.prompt_tokens.front(),
                            grid.generate_tokens.front(), arguments.seed)
          : task_requests(plan, arguments.requests);

  RunSettings settings;
  settings.model = arguments.engine.model;
  settings.seed = arguments.seed;
  settings.batch_size = engine_options(arguments).max_batch_sequences;
  settings.usd_per_hour = arguments.usd_per_hour;
  RunRecord base = new_record(load_settings(arguments), settings, plan, client->info());
  base.effective["prefix-cache"] = "false";
  if (!arguments.label.empty()) base.label = arguments.label;

  std::vector<LoadedRun> runs;
  for (const Arrivals& arrivals : loads) {
    for (std::int64_t i = 0; i < arguments.repetitions; ++i) {
      std::string name = arrivals_name(arrivals);
      if (arguments.repetitions > 1) name += "-r" + std::to_string(i + 1);
      MeasuredLoad measured =
          measure_load(*client, base, requests, arrivals, arguments.seed, [](std::int64_t) {});
      measured.run.run.run_id = name;
      if (!arguments.record.empty())
        write_load(std::filesystem::path(arguments.record) / name, measured);
      char text[96];
      std::snprintf(text, sizeof text, "%-20s %10.2f output tokens/s", name.c_str(),
                    throughput_metrics(measured.run).output_tokens_per_second);
      print_note(text);
      runs.push_back(std::move(measured.run));
    }
  }
  write_stdout(format_given ? load_output(runs, options, arguments.format)
                            : render_console(build_load_report(runs, options), stdout_style()));
  if (!arguments.record.empty()) print_note("recorded: " + arguments.record);
  return ExitCode::kHolds;
}

}  // namespace

void add_bench_command(CLI::App& app, Action& chosen) {
  const auto arguments = std::make_shared<BenchArguments>();
  CLI::App* sub = app.add_subcommand("bench", "Measure prefill and decode speed on random tokens");
  sub->footer(kFooter);

  const std::string what = "What to measure";
  const auto list = [&](const std::string& flags, std::vector<std::int64_t>& values,
                        const std::string& help, const std::string& defaults) {
    return sub->add_option(flags, values, help)
        ->default_str(defaults)
        ->delimiter(',')
        ->option_text("N,N,...")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 24))
        ->group(what);
  };
  const CLI::Option* prompt_tokens =
      list("-p,--prompt-tokens", arguments->grid.prompt_tokens,
           "Prefill of prompts of these lengths", "512, or what fits the model's context");
  list("-g,--generate-tokens", arguments->grid.generate_tokens, "Decode of so many tokens", "64");
  list("-b,--batch", arguments->grid.batches, "Sequences that decode together", "1,4,8,16,32");
  list("--depth", arguments->grid.depths, "Tokens before the decoded ones, in each sequence", "1");
  const CLI::Option* repetitions =
      sub->add_option(
             "-r,--repetitions", arguments->grid.repetitions,
             "Counted repetitions (of a load: runs of it, 1 unless given); one more warms up")
          ->capture_default_str()
          ->option_text("N")
          ->check(CLI::PositiveNumber)
          ->group(what);
  const CLI::Option* format =
      sub->add_option("-o,--output", arguments->format, "md, csv, json or jsonl, to stdout")
          ->capture_default_str()
          ->option_text("FORMAT")
          ->group(what);

  const std::string loaded = "With --load";
  const CLI::Option* load =
      sub->add_option("--load", arguments->loads,
                      "Send requests: offline, concurrency:N, poisson:RATE, or several")
          ->delimiter(',')
          ->option_text("LOAD,...")
          ->group(loaded);
  sub->add_option("--requests", arguments->requests, "Requests of each load")
      ->capture_default_str()
      ->option_text("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}))
      ->group(loaded);
  sub->add_option("--task", arguments->task, "Ask the questions of this task, ungraded")
      ->option_text("NAME")
      ->group(loaded);
  sub->add_option("--data", arguments->data,
                  "The folder of the task's data; default: $MOEBENCH_DATA_DIR")
      ->envname("MOEBENCH_DATA_DIR")
      ->option_text("DIR")
      ->group(loaded);
  sub->add_option("--max-tokens", arguments->max_tokens, "Most tokens of an answer, with --task")
      ->option_text("N")
      ->check(CLI::PositiveNumber)
      ->group(loaded);
  sub->add_option("--max-in-flight", arguments->max_in_flight,
                  "With poisson: what is more waits on our side, and the wait is counted")
      ->option_text("N")
      ->check(CLI::PositiveNumber)
      ->group(loaded);
  sub->add_option("--seed", arguments->seed, "Of the random prompts and arrivals")
      ->capture_default_str()
      ->option_text("N")
      ->group(loaded);
  sub->add_option("--goodput", arguments->goodput,
                  "Limits in ms that a good request meets: ttft:2000 tpot:80 (ttfo, e2el too)")
      ->option_text("LIMIT...")
      ->group(loaded);
  sub->add_option("--usd-per-hour", arguments->usd_per_hour, "What the machine costs")
      ->option_text("USD")
      ->check(CLI::PositiveNumber)
      ->group(loaded);
  sub->add_option("--label", arguments->label, "The name of these runs in comparisons and claims")
      ->option_text("TEXT")
      ->group(loaded);
  sub->add_option("--record", arguments->record, "Keep each load as a run's folder in here")
      ->option_text("DIR")
      ->group(loaded);

  add_engine_options(*sub, arguments->engine);
  add_remote_options(*sub, arguments->remote);

  sub->callback([arguments, load, format, repetitions, prompt_tokens, &chosen] {
    chosen = [arguments, load, format, repetitions, prompt_tokens] {
      if (prompt_tokens->count() == 0 && arguments->task.empty()) fit_default_prompt(*arguments);
      if (load->count() == 0) return bench_grid(*arguments);
      arguments->repetitions = repetitions->count() > 0 ? arguments->grid.repetitions : 1;
      return bench_loads(*arguments, format->count() > 0);
    };
  });
}

}  // namespace moebench
