#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "harness/bench/speed_grid.h"
#include "harness/bench/speed_table.h"
#include "harness/cli/commands.h"
#include "harness/cli/console.h"
#include "harness/cli/engine_options.h"
#include "harness/clients/engine_client.h"

namespace moebench {

namespace {

struct BenchArguments {
  EngineOptions engine;
  RemoteOptions remote;
  SpeedGrid grid;
  std::string format = "md";
};

constexpr const char* kFooter = R"(Examples:
  moebench bench --model ./model.gguf
  moebench bench --model canary --prompt-tokens 128,512 --batch 1,32 -o jsonl > speed.jsonl

pp512 is the prefill of 512 tokens, tg64 the generation of 64 tokens by one sequence, tg64 x 8 the
same by eight sequences at once (tokens of all together). Numbers are medians; nothing else should
run on the machine meanwhile.)";

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
  for (const std::int64_t tokens : grid.generate_tokens) {
    options.max_context_tokens =
        std::max(options.max_context_tokens, grid.depth_tokens + tokens + 1);
  }
  options.prefix_cache = false;  // a repeated prompt must be computed again
  return options;
}

ExitCode bench(const BenchArguments& arguments) {
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

}  // namespace

void add_bench_command(CLI::App& app, Action& chosen) {
  const auto arguments = std::make_shared<BenchArguments>();
  CLI::App* sub = app.add_subcommand("bench", "Measure prefill and decode speed on random tokens");
  sub->footer(kFooter);

  const std::string what = "What to measure";
  const auto list = [&](const std::string& flags, std::vector<std::int64_t>& values,
                        const std::string& help, const std::string& defaults) {
    sub->add_option(flags, values, help)
        ->default_str(defaults)
        ->delimiter(',')
        ->option_text("N,N,...")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 24))
        ->group(what);
  };
  list("-p,--prompt-tokens", arguments->grid.prompt_tokens, "Prefill of prompts of these lengths",
       "512");
  list("-g,--generate-tokens", arguments->grid.generate_tokens, "Decode of so many tokens", "64");
  list("-b,--batch", arguments->grid.batches, "Sequences that decode together", "1,4,8,16,32");
  sub->add_option("--depth", arguments->grid.depth_tokens,
                  "Tokens before the decoded ones, in each sequence")
      ->capture_default_str()
      ->option_text("N")
      ->check(CLI::PositiveNumber)
      ->group(what);
  sub->add_option("-r,--repetitions", arguments->grid.repetitions,
                  "Counted repetitions; one more warms up")
      ->capture_default_str()
      ->option_text("N")
      ->check(CLI::PositiveNumber)
      ->group(what);
  sub->add_option("-o,--output", arguments->format, "md, csv, json or jsonl, to stdout")
      ->capture_default_str()
      ->option_text("FORMAT")
      ->group(what);

  add_engine_options(*sub, arguments->engine);
  add_remote_options(*sub, arguments->remote);

  sub->callback([arguments, &chosen] { chosen = [arguments] { return bench(*arguments); }; });
}

}  // namespace moebench
