#include "harness/cli/engine_options.h"

#include <CLI/CLI.hpp>
#include <cmath>

namespace moebench {

void add_engine_options(CLI::App& sub, EngineOptions& options) {
  const std::string group = "Engine";
  sub.add_option("-m,--model", options.model,
                 "canary, a Hugging Face folder, a .gguf file, or openai:NAME (a server)")
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
  sub.add_option("--device", options.device, "cpu, cuda:N, reference (moebench devices lists them)")
      ->capture_default_str()
      ->option_text("NAME")
      ->group(group);
  sub.add_flag("--cpu-experts", options.cpu_experts,
               "On a GPU: routed experts stay in host memory and run on the CPU")
      ->group(group);
  sub.add_option("--cuda-dense", options.cuda_dense,
                 "On a GPU: dense products of F16 and BF16 weights by own kernels or by cublaslt")
      ->capture_default_str()
      ->option_text("WHO")
      ->group(group);
  sub.add_option("--step-tokens", options.max_step_tokens,
                 "Rows of one forward pass at most (prefill is cut into such pieces)")
      ->capture_default_str()
      ->option_text("N")
      ->check(CLI::PositiveNumber)
      ->group(group);
}

void add_remote_options(CLI::App& sub, RemoteOptions& remote) {
  const std::string group = "Servers (--model openai:NAME)";
  sub.add_option("--base-url", remote.base_urls,
                 "OpenAI-compatible servers, as http://127.0.0.1:8080/v1; several share the load")
      ->delimiter(',')
      ->allow_extra_args(false)  // or it would take the prompts that follow
      ->option_text("URL,...")
      ->group(group);
  sub.add_option("--api-key-env", remote.api_key_variable, "Variable that holds the API key")
      ->option_text("VAR")
      ->group(group);
  sub.add_option("--ca-file", remote.ca_file,
                 "Trust servers whose certificate is signed by those in FILE (PEM); default: by "
                 "those that the system trusts")
      ->option_text("FILE")
      ->group(group);
  sub.add_option("--launch", remote.launch,
                 "Start the server first: a recipe (llama.cpp, llama-cpp-python, vllm, sglang) or "
                 "a command with {port}")
      ->option_text("COMMAND")
      ->group(group);
  sub.add_option("--request-rate", remote.requests_per_second, "Requests a second at most")
      ->option_text("R")
      ->check(CLI::PositiveNumber)
      ->group(group);
  sub.add_option_function<double>(
         "--request-seconds",
         [&remote](double seconds) {
           remote.request_limit =
               std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(seconds * 1000)));
         },
         "Longest time for one attempt at a request (default: 600)")
      ->option_text("S")
      ->check(CLI::Range(0.01, 1e6))
      ->group(group);
  sub.add_option("--retries", remote.max_retries, "Further attempts after one that failed")
      ->capture_default_str()
      ->option_text("N")
      ->check(CLI::Range(0, 1000))
      ->group(group);
}

}  // namespace moebench
