#include <CLI/CLI.hpp>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <string>

#include "engine/engine.h"
#include "harness/cli/commands.h"
#include "harness/cli/console.h"

namespace moebench {
namespace {

double gigabytes(std::int64_t bytes) { return static_cast<double>(bytes) / 1e9; }

/// 671026419200 -> "671.03 B".
std::string in_words(std::int64_t number) {
  char text[32];
  const auto n = static_cast<double>(number);
  if (n >= 1e9) {
    std::snprintf(text, sizeof text, "%.2f B", n / 1e9);
  } else if (n >= 1e6) {
    std::snprintf(text, sizeof text, "%.2f M", n / 1e6);
  } else {
    std::snprintf(text, sizeof text, "%" PRId64, number);
  }
  return text;
}

ExitCode inspect(const std::string& model, bool show_template) {
  const ModelInspection m = inspect_model(model);
  const EngineInfo& i = m.info;
  std::printf("model        %s (%s, %s)\n", i.model_name.c_str(), i.family.c_str(),
              i.format.c_str());
  std::printf("parameters   %s total, %s active per token\n", in_words(i.total_parameters).c_str(),
              in_words(i.active_parameters).c_str());
  std::printf("layers       %" PRId64 ", %" PRId64 " of them mixtures of experts; hidden %" PRId64
              "\n",
              i.n_layers, i.n_moe_layers, m.hidden);
  std::printf("attention    %s\n", m.attention.c_str());
  if (!m.router.empty()) std::printf("experts      %s\n", m.router.c_str());
  std::printf("context      %" PRId64 " tokens\n", i.max_context_tokens);
  std::printf("KV cache     %" PRId64 " bytes per token in f16\n", i.kv_bytes_per_token);
  std::printf("vocabulary   %" PRId64 "; tokenizer: %s; chat template: %s\n", i.vocab,
              m.tokenizer.empty() ? "none" : m.tokenizer.c_str(),
              m.chat_template.empty() ? "none" : "yes");
  std::printf("\n%-16s %8s %12s %12s %10s  %s\n", "weights", "tensors", "parameters", "active",
              "GB", "stored as");
  for (const ModelInspection::Kind& kind : m.kinds) {
    std::printf("%-16s %8" PRId64 " %12s %12s %10.3f  %s\n", kind.name.c_str(), kind.tensors,
                in_words(kind.parameters).c_str(), in_words(kind.active_parameters).c_str(),
                gigabytes(kind.bytes), kind.types.c_str());
  }
  std::printf("%-16s %8s %12s %12s %10.3f  %s\n", "all", "", in_words(i.total_parameters).c_str(),
              in_words(i.active_parameters).c_str(), gigabytes(i.weight_bytes),
              i.weight_types.c_str());
  for (const std::string& note : m.notes) std::printf("note: %s\n", note.c_str());
  if (show_template) std::printf("\n%s\n", m.chat_template.c_str());
  return ExitCode::kHolds;
}

ExitCode quantize(const std::string& input, const std::string& output, const std::string& type) {
  const QuantizeResult result = quantize_model(input, output, type);
  for (const std::string& note : result.notes) print_note(note);
  std::printf("%s: %" PRId64 " of %" PRId64 " tensors converted to %s, %.3f GB -> %.3f GB\n",
              output.c_str(), result.converted, result.tensors, type.c_str(),
              gigabytes(result.bytes_before), gigabytes(result.bytes_after));
  return ExitCode::kHolds;
}

struct ModelArguments {
  std::string model, output, type;
  bool show_template = false;
};

}  // namespace

void add_model_command(CLI::App& app, Action& chosen) {
  auto arguments = std::make_shared<ModelArguments>();
  CLI::App* model = app.add_subcommand("model", "Look into a model's files, or write them as GGUF");
  model->require_subcommand(1);
  model->footer(R"(Examples:
  moebench model inspect canary
  moebench model inspect ./DeepSeek-V2-Lite --template
  moebench model quantize ./DeepSeek-V2-Lite v2-lite-q8_0.gguf --type q8_0)");

  CLI::App* look = model->add_subcommand(
      "inspect", "What is in it: family, parameters, experts, memory, cache, tokenizer");
  look->add_option("MODEL", arguments->model, "A Hugging Face directory, a .gguf file, or canary")
      ->option_text("MODEL")
      ->required();
  look->add_flag("--template", arguments->show_template, "Print the chat template too");
  look->callback([arguments, &chosen] {
    chosen = [arguments] { return inspect(arguments->model, arguments->show_template); };
  });

  CLI::App* write = model->add_subcommand(
      "quantize",
      "Write a model as a .gguf file, its weights in another type; llama.cpp loads it too");
  write
      ->add_option("IN", arguments->model,
                   "A Hugging Face directory, a .gguf file (any part of a split one), or canary")
      ->option_text("IN")
      ->required();
  write->add_option("OUT", arguments->output, "The .gguf file to write")
      ->option_text("OUT")
      ->required();
  write
      ->add_option("--type", arguments->type,
                   "f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k or q6_k")
      ->option_text("TYPE")
      ->required();
  write->callback([arguments, &chosen] {
    chosen = [arguments] { return quantize(arguments->model, arguments->output, arguments->type); };
  });
}

}  // namespace moebench
