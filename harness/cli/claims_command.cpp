#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>

#include "engine/base/error.h"
#include "harness/cli/commands.h"
#include "harness/cli/console.h"
#include "harness/cli/document_output.h"
#include "reports/claims/claims.h"

namespace moebench {
namespace {

struct ClaimsArguments {
  std::string file;
  std::vector<std::string> runs;
  DocumentTarget target;
};

ExitCode claims(const ClaimsArguments& arguments) {
  // A name without a path is one of the files that come with the program.
  std::string text(catalog_file("claims/" + arguments.file + ".json"));
  if (text.empty()) {
    std::ifstream file(arguments.file);
    if (!file)
      throw Error(ErrorCode::kUsage, arguments.file + ": cannot be read",
                  "give a JSON file of claims, or deepseek-r2, which comes with the program");
    std::ostringstream content;
    content << file.rdbuf();
    text = content.str();
  }
  std::vector<LoadedRun> runs;
  for (const std::string& path : arguments.runs) {
    runs.push_back(load_run(path));
    for (const std::string& warning : runs.back().warnings) print_warning(warning);
  }
  const ClaimFile file = parse_claims(text, arguments.file);
  const ClaimsResult result = test_claims(file, runs, built_in_catalog());
  const Document document = build_claims_report(file, result);
  write_document(document, document, arguments.target);
  const auto any = [&](ClaimVerdict verdict) {
    return std::find(result.verdicts.begin(), result.verdicts.end(), verdict) !=
           result.verdicts.end();
  };
  if (any(ClaimVerdict::kRefuted)) return ExitCode::kFailed;
  const bool open = any(ClaimVerdict::kInconclusive) || any(ClaimVerdict::kNotTestable);
  return open ? ExitCode::kInconclusive : ExitCode::kHolds;
}

}  // namespace

void add_claims_command(CLI::App& app, Action& chosen) {
  const auto a = std::make_shared<ClaimsArguments>();
  CLI::App* sub =
      app.add_subcommand("claims", "Test published claims against runs and published figures");
  sub->footer(R"(Examples:
  moebench claims deepseek-r2
  moebench claims my-claims.json runs/moe runs/dense -o claims.html

Is a MoE cheaper to run than a dense model, on this machine? Measure each, then test the claim:
  moebench bench -m moe.gguf --label moe --load concurrency:1,concurrency:8 -r 3 \
    --usd-per-hour 1 --record runs/moe
  moebench bench -m dense.gguf --label dense-total ... --record runs/dense-total
  moebench claims deepseek-r2 runs/moe/* runs/dense-total/*

Each claim comes out as supported, refuted, inconclusive or not testable, with its evidence and with
what would decide it. A run is a subject by its label or its model's name. Exit code: 0 all
supported, 1 some refuted, 4 some inconclusive or not testable.)");
  sub->add_option("file", a->file, "A JSON file of claims, or a built-in one: deepseek-r2")
      ->required()
      ->option_text("FILE");
  sub->add_option("runs", a->runs, "Runs that the claims' subjects name")->option_text("RUN...");
  add_document_options(*sub, a->target);
  sub->callback([a, &chosen] { chosen = [a] { return claims(*a); }; });
}

}  // namespace moebench
