#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "datasets/task.h"
#include "harness/cli/commands.h"
#include "harness/cli/console.h"
#include "harness/cli/run_reports.h"
#include "harness/environment/environment.h"
#include "harness/run/run.h"
#include "harness/run/settings.h"

namespace moebench {

namespace {

struct RunArguments {
  Settings typed;
  std::string output, resume;
  bool list_tasks = false;
};

constexpr const char* kFooter = R"(Examples:
  moebench run --model canary --tasks gsm8k-mini,math-mini
  moebench run --model ./model.gguf --tasks gsm8k --data ./data --limit 100 --usd-per-hour 0.40
  moebench run --model ./DeepSeek-R1-Distill-Qwen-1.5B --tasks math500 --data ./data \
      --temperature 0.6 --top-p 0.95 --samples 4 --seed 1
  moebench run --resume runs/2026-01-31T12-00-00-canary

The run folder holds run.json (settings, machine, results), samples.jsonl (one line an answer),
report.md and report.html. Ctrl-C stops the run and keeps what is finished.)";

// A folder name that tells when and what: runs/2026-01-31T12-00-00-canary
std::filesystem::path default_directory(const std::string& model) {
  std::string stamp = utc_now();
  stamp.pop_back();  // the Z
  for (char& c : stamp) {
    if (c == ':') c = '-';
  }
  std::filesystem::path path(model);
  std::string name = (path.has_filename() ? path : path.parent_path()).stem().string();
  for (char& c : name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.';
    if (!plain) c = '_';
  }
  return std::filesystem::path("runs") / (stamp + "-" + name);
}

ExitCode list_tasks_on_stdout() {
  const auto column = [](std::string cell, std::size_t width) {
    cell.resize(std::max(cell.size(), width) + 2, ' ');
    return cell;
  };
  std::string text;
  for (const std::string& name : list_tasks()) {
    const Task task = load_task(name);
    text += column(name, 15) + column(task.title, 43) + task.source + "\n";
  }
  write_stdout(text);
  return ExitCode::kHolds;
}

void announce(const std::string& what, bool is_warning) {
  if (is_warning) {
    print_warning(what);
  } else {
    print_note(what);
  }
}

ExitCode run(const RunArguments& arguments) {
  if (arguments.list_tasks) return list_tasks_on_stdout();
  Settings typed = arguments.typed;
  RunOutcome outcome;
  if (!arguments.resume.empty()) {
    if (!arguments.output.empty()) {
      throw Error(ErrorCode::kUsage, "--resume names the run's folder already; -o has no place",
                  "moebench run --resume " + arguments.resume);
    }
    outcome = resume_run(arguments.resume, typed, announce);
  } else {
    const char* data = std::getenv("MOEBENCH_DATA_DIR");
    if (!typed.contains("data") && data != nullptr && *data != '\0') typed["data"] = data;
    const std::filesystem::path directory = arguments.output.empty()
                                                ? default_directory(parse_run_settings(typed).model)
                                                : std::filesystem::path(arguments.output);
    outcome = start_run(typed, directory, announce);
  }
  const std::string where = outcome.directory.string();
  if (outcome.answered > 0) write_run_reports(outcome.directory);
  if (outcome.interrupted) {
    print_note("interrupted: " + std::to_string(outcome.answered) + " of " +
               std::to_string(outcome.planned) + " answers are kept, " +
               std::to_string(outcome.dropped) + " begun ones are dropped");
    print_note("continue with: moebench run --resume " + where);
    return ExitCode::kInterrupted;
  }
  return ExitCode::kHolds;
}

}  // namespace

void add_run_command(CLI::App& app, Action& chosen) {
  const auto arguments = std::make_shared<RunArguments>();
  CLI::App* sub = app.add_subcommand("run", "Let a model answer tasks; record and grade it");
  sub->footer(kFooter);

  const auto setting = [&](const std::string& flags, const std::string& name,
                           const std::string& help, const std::string& value,
                           const std::string& group) {
    sub->add_option_function<std::string>(
           flags, [arguments, name](const std::string& text) { arguments->typed[name] = text; },
           help)
        ->option_text(value)
        ->group(group);
  };
  const auto flag = [&](const std::string& name, const std::string& help,
                        const std::string& group) {
    sub->add_flag_callback(
           "--" + name, [arguments, name] { arguments->typed[name] = "true"; }, help)
        ->group(group);
  };

  const std::string what = "What to run";
  setting(
      "-m,--model", "model",
      "canary (built in), a Hugging Face folder, a .gguf file, openai:NAME (a server), or null (no "
      "model at all)",
      "MODEL", what);
  setting("-t,--tasks", "tasks", "Tasks by name, or a task's .json file; comma-separated",
          "A,B,...", what);
  setting("-d,--data", "data",
          "Folder with the published problems; default: $MOEBENCH_DATA_DIR, else only the embedded "
          "ones are there",
          "DIR", what);
  setting("-n,--limit", "limit", "Only the first N questions of each task", "N", what);
  setting(
      "--shard", "shard",
      "Only the I-th of N parts of each task's questions; 'moebench merge' puts the parts together",
      "I/N", what);
  setting("--samples", "samples", "Answers to each question; default: as the task's protocol says",
          "K", what);
  sub->add_flag("--list-tasks", arguments->list_tasks, "Show the tasks and exit")->group(what);

  const std::string where = "Where results go";
  sub->add_option("-o,--output", arguments->output,
                  "A new folder for the run; default: runs/<time>-<model>")
      ->option_text("DIR")
      ->group(where);
  sub->add_option("--resume", arguments->resume,
                  "Continue the run in DIR with its own settings; differing ones are refused")
      ->option_text("DIR")
      ->group(where);
  flag("step-log",
       "Also write steps.jsonl, one line a forward pass, and when each chunk of an answer came",
       where);
  setting("--usd-per-hour", "usd-per-hour", "What the machine costs; without it no cost is told",
          "USD", where);

  const std::string sampling = "Sampling (default: the task's protocol, else greedy)";
  setting("--max-tokens", "max-tokens", "Longest answer, thinking included", "N", sampling);
  setting("--reasoning-tokens", "reasoning-tokens",
          "Longest thinking; then the answer is asked for (0: no limit of its own)", "N", sampling);
  setting("--temperature", "temperature", "0: greedy", "T", sampling);
  setting("--top-p", "top-p", "Nucleus sampling", "P", sampling);
  setting("--top-k", "top-k", "0: no limit", "K", sampling);
  setting("--seed", "seed", "The same seed gives the same answers, at any batch size", "N",
          sampling);
  flag("raw-prompt", "Send the prompt's text without the model's chat template (base models)",
       sampling);

  const std::string engine = "Engine";
  setting("-b,--batch-size", "batch-size", "Sequences decoded together (default: 32)", "N", engine);
  setting("--threads", "threads", "0: one a physical core", "N", engine);
  setting("--weights-type", "weights-type",
          "Convert the weights at load: f32, bf16, f16, q8_0, q4_0, ...; default: as stored",
          "TYPE", engine);
  setting("--kv-cache-type", "kv-cache-type", "f16 or f32 (default: f16)", "TYPE", engine);
  setting("--context", "context", "Longest prompt and answer together (0: what the model allows)",
          "N", engine);
  setting("--workers", "workers",
          "Hold the engine in N child processes: what crashes or hangs there is asked again, and "
          "the run goes on (default: 0, in this process; from --device cuda:K on, one a GPU)",
          "N", engine);
  setting("--stall-timeout", "stall-timeout",
          "A worker without a step for this long has hung (default: 300)", "SECONDS", engine);
  setting("--device", "device", "cpu, cuda:N, reference (slow, exact) (default: cpu)", "NAME",
          engine);
  flag("cpu-experts", "On a GPU: routed experts stay in host memory and run on the CPU", engine);
  setting("--cuda-dense", "cuda-dense",
          "On a GPU: dense products of F16 and BF16 weights by own kernels or by cublaslt "
          "(default: own)",
          "WHO", engine);

  const std::string servers = "Servers (--model openai:NAME)";
  setting("--base-url", "base-url",
          "OpenAI-compatible servers, as http://127.0.0.1:8080/v1; several share the load",
          "URL,...", servers);
  setting("--api-key-env", "api-key-env", "Variable that holds the API key", "VAR", servers);
  setting("--ca-file", "ca-file",
          "Trust servers whose certificate is signed by those in FILE (PEM); default: by those "
          "that the system trusts",
          "FILE", servers);
  setting(
      "--launch", "launch",
      "Start the server first: a recipe (llama.cpp, llama-cpp-python, vllm, sglang) or a command "
      "with {model} and {port}",
      "COMMAND", servers);
  setting("--request-rate", "request-rate", "Requests a second at most", "R", servers);
  setting("--request-seconds", "request-seconds",
          "Longest time for one attempt at a request (default: 600)", "S", servers);
  setting("--retries", "retries", "Further attempts after one that failed (default: 6)", "N",
          servers);

  sub->callback([arguments, &chosen] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace moebench
