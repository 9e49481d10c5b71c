#include "harness/cli/engine_options.h"

#include <CLI/CLI.hpp>

namespace moebench {

void add_engine_options(CLI::App& sub, EngineOptions& options) {
  const std::string group = "Engine";
  sub.add_option("-m,--model", options.model, "canary, a Hugging Face folder, or a .gguf file")
      ->required()
      ->option_text("MODEL")
      ->group(group);
  sub.add_option("--threads", options.threads, "0: one a physical core")
      ->capture_default_str()
      ->option_text("N")
      ->check(CLI::NonNegativeNumber)
      ->group(group);
  sub.add_option_function<std::string>(
         "--weights-type", [&options](const std::string& type) { options.weight_type = type; },
         "Convert the weights at load; default: as stored")
      ->option_text("TYPE")
      ->group(group);
  sub.add_option("--kv-cache-type", options.kv_cache_type, "f16 or f32")
      ->capture_default_str()
      ->option_text("TYPE")
      ->group(group);
  sub.add_option("--device", options.device, "cpu, reference")
      ->capture_default_str()
      ->option_text("NAME")
      ->group(group);
  sub.add_option("--step-tokens", options.max_step_tokens,
                 "Rows of one forward pass at most (prefill is cut into such pieces)")
      ->capture_default_str()
      ->option_text("N")
      ->check(CLI::PositiveNumber)
      ->group(group);
}

}  // namespace moebench
