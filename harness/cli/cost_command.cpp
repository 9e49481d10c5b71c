#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "engine/base/error.h"
#include "harness/cli/commands.h"
#include "harness/cli/console.h"
#include "harness/cli/document_output.h"
#include "reports/cost/cost_report.h"

namespace moebench {
namespace {

struct CostArguments {
  std::vector<std::string> runs;
  std::optional<double> usd_per_hour, usd_per_gpu_hour, owned_usd;
  OwnedMachine owned;
  std::string model, gpu = "h200-sxm";
  bool gpu_given = false;
  ServingPlan plan;
  double input_millions = 50, output_millions = 20, cached_percent = 0;
  DocumentTarget target;
};

ModelShape find_shape(const std::string& model) {
  std::filesystem::path path = model;
  if (std::filesystem::is_directory(path)) path /= "config.json";
  if (path.extension() != ".json") return built_in_catalog().model(model);
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::kIo, path.string() + ": cannot be read");
  std::ostringstream text;
  text << file.rdbuf();
  return shape_from_config(text.str(), path.string());
}

ExitCode cost(const CostArguments& arguments) {
  CostQuestion question;
  for (const std::string& path : arguments.runs) {
    question.runs.push_back(load_run(path));
    for (const std::string& warning : question.runs.back().warnings) print_warning(warning);
  }
  question.usd_per_hour = arguments.usd_per_hour;
  if (arguments.owned_usd) {
    question.owned = arguments.owned;
    question.owned->capital_usd = *arguments.owned_usd;
  }
  question.workload = {arguments.input_millions * 1e6, arguments.output_millions * 1e6,
                       arguments.cached_percent / 100};
  if (!arguments.model.empty()) question.project = find_shape(arguments.model);
  question.gpu = arguments.gpu;
  if (arguments.gpu_given && arguments.model.empty()) {
    if (arguments.runs.empty())
      throw Error(ErrorCode::kUsage, "--gpu and --gpus without anything to price or project",
                  "runs that were made on such a machine, or --project MODEL");
    if (arguments.usd_per_hour || arguments.owned_usd)
      throw Error(ErrorCode::kUsage, "the runs' machine has one price, not two",
                  "--gpu with --gpus, or --usd-per-hour, or --owned-usd");
    question.gpu_prices_runs = true;
  }
  question.plan = arguments.plan;
  question.usd_per_gpu_hour = arguments.usd_per_gpu_hour;
  const Document document = build_cost_report(built_in_catalog(), question);
  Document brief = document;
  std::erase_if(brief.sections, [](const Section& section) { return section.id == "gpus"; });
  write_document(document, brief, arguments.target);
  return ExitCode::kHolds;
}

}  // namespace

void add_cost_command(CLI::App& app, Action& chosen) {
  const auto a = std::make_shared<CostArguments>();
  CLI::App* sub =
      app.add_subcommand("cost", "What tokens cost: measured runs, APIs, and GPUs not at hand");
  sub->footer(R"(Examples:
  moebench cost
  moebench cost runs/canary --usd-per-hour 0.40 --input-tokens 100 --output-tokens 30
  moebench cost runs/served --gpu h100-sxm --gpus 8
  moebench cost runs/canary --owned-usd 12000 --kilowatts 0.8 --utilisation 0.5
  moebench cost --project deepseek-r1 --gpu h800-sxm --gpus 144 --batch 88 --context 4989
  moebench cost --project path/to/config.json --gpu h200-sxm --gpus 8

A projection is a roofline times an efficiency that is fitted on published figures; its error on
others, held out, is printed with it.)");
  sub->add_option("runs", a->runs, "Runs whose tokens to price")->option_text("RUN...");
  sub->add_option("--usd-per-hour", a->usd_per_hour, "Price of the runs' machine, rented")
      ->check(CLI::NonNegativeNumber)
      ->option_text("USD");
  sub->add_option("--owned-usd", a->owned_usd, "Price of the runs' machine, bought")
      ->check(CLI::NonNegativeNumber)
      ->option_text("USD");
  sub->add_option("--life-years", a->owned.life_years, "Of a bought machine (4)")
      ->check(CLI::PositiveNumber)
      ->option_text("YEARS");
  sub->add_option("--kilowatts", a->owned.kilowatts, "Power of a bought machine (0)")
      ->check(CLI::NonNegativeNumber)
      ->option_text("KW");
  sub->add_option("--usd-per-kwh", a->owned.usd_per_kwh, "Price of power (0.08)")
      ->check(CLI::NonNegativeNumber)
      ->option_text("USD");
  sub->add_option("--utilisation", a->owned.utilisation,
                  "Share of the hours in which a bought machine works (0.6)")
      ->check(CLI::Range(0.001, 1.0))
      ->option_text("SHARE");
  sub->add_option("--input-tokens", a->input_millions, "The workload, million a month (50)")
      ->check(CLI::NonNegativeNumber)
      ->option_text("M");
  sub->add_option("--output-tokens", a->output_millions, "The workload, million a month (20)")
      ->check(CLI::NonNegativeNumber)
      ->option_text("M");
  sub->add_option("--cached-percent", a->cached_percent, "Of the input tokens (0)")
      ->check(CLI::Range(0.0, 100.0))
      ->option_text("PERCENT");
  sub->add_option("--project", a->model,
                  "Project a model: a name of the catalogue or a Hugging Face config.json")
      ->option_text("MODEL");
  CLI::Option* gpu =
      sub->add_option("--gpu", a->gpu,
                      "The device of the catalogue to project on (h200-sxm); without "
                      "--project: what the runs' machine is priced as")
          ->option_text("ID");
  CLI::Option* gpus = sub->add_option("--gpus", a->plan.gpus, "GPUs that serve together (8)")
                          ->check(CLI::Range(1.0, 100000.0))
                          ->option_text("N");
  sub->add_option("--batch", a->plan.batch_per_gpu,
                  "Sequences decoded together, a GPU (0: what the memory holds)")
      ->check(CLI::NonNegativeNumber)
      ->option_text("N");
  sub->add_option("--context", a->plan.context_tokens, "Mean tokens attended to (4096)")
      ->check(CLI::PositiveNumber)
      ->option_text("TOKENS");
  sub->add_option("--weight-bytes", a->plan.weight_bytes, "A weight's bytes: 1 FP8, 2 BF16 (1)")
      ->check(CLI::Range(0.25, 4.0))
      ->option_text("BYTES");
  sub->add_option("--usd-per-gpu-hour", a->usd_per_gpu_hour,
                  "Price of that device, instead of the catalogue's newest")
      ->check(CLI::NonNegativeNumber)
      ->option_text("USD");
  add_document_options(*sub, a->target);
  sub->callback([a, gpu, gpus, &chosen] {
    a->gpu_given = gpu->count() > 0 || gpus->count() > 0;
    chosen = [a] { return cost(*a); };
  });
}

}  // namespace moebench
