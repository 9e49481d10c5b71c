#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "engine/base/error.h"
#include "harness/cli/commands.h"
#include "harness/cli/console.h"
#include "harness/cli/engine_options.h"
#include "harness/serve/http_server.h"
#include "harness/serve/service.h"

namespace moebench {

namespace {

struct ServeArguments {
  EngineOptions engine;
  HttpServerOptions server;
  std::string name, key_variable, key_file;
  std::int64_t queue = 256;
  std::int64_t body_mib = 8, request_seconds = 3600, shutdown_seconds = 30;
};

constexpr const char* kFooter = R"(Examples:
  moebench serve --model canary
  moebench serve --model ./model.gguf --port 8000 --batch-size 64
  MOEBENCH_API_KEY=... moebench serve --model ./model.gguf --host 0.0.0.0

  curl http://127.0.0.1:8080/v1/completions -H 'Content-Type: application/json' \
      -d '{"prompt": "Once upon a time", "max_tokens": 32, "temperature": 0, "stream": true}'

Serves /v1/models, /v1/completions (with logprobs and echo), /v1/chat/completions, /health and
/metrics. The URL for clients goes to stdout once the model is loaded. Ctrl-C lets running requests
finish; a second one ends them. The connection is not encrypted: put a TLS proxy in front of it
where others can listen.)";

std::string read_key(const ServeArguments& arguments) {
  std::string key;
  if (!arguments.key_file.empty()) {
    std::ifstream file(arguments.key_file);
    if (!std::getline(file, key) || key.empty()) {
      throw Error(ErrorCode::kUsage, arguments.key_file + ": no API key in its first line");
    }
    return key;
  }
  const char* value = std::getenv(arguments.key_variable.c_str());
  if (value != nullptr) key = value;
  return key;
}

ExitCode serve(ServeArguments arguments) {
  arguments.server.max_body_bytes = arguments.body_mib << 20;
  arguments.server.request_limit = std::chrono::seconds(arguments.request_seconds);
  arguments.server.shutdown_limit = std::chrono::seconds(arguments.shutdown_seconds);
  ServiceOptions options;
  options.api_key = read_key(arguments);
  if (options.api_key.empty() && !is_loopback(arguments.server.host)) {
    throw Error(
        ErrorCode::kUsage,
        arguments.server.host + " can be reached from other machines, and no API key is set",
        "$" + arguments.key_variable + " or --api-key-file FILE; --host 127.0.0.1 needs none");
  }
  print_note("loading " + arguments.engine.model);
  const std::unique_ptr<Engine> engine = Engine::load(arguments.engine);
  options.model_name = arguments.name.empty() ? engine->info().model_name : arguments.name;
  options.max_requests = arguments.engine.max_batch_sequences + arguments.queue;
  Service service(*engine, options);
  serve_http(service, arguments.server, [&](std::uint16_t port) {
    const bool v6 = arguments.server.host.find(':') != std::string::npos;
    const std::string host = v6 ? "[" + arguments.server.host + "]" : arguments.server.host;
    print_note("serving " + options.model_name + " with " + std::to_string(engine->info().threads) +
               " threads, batch " + std::to_string(arguments.engine.max_batch_sequences) +
               ", context " + std::to_string(engine->info().max_context_tokens) + " tokens");
    write_stdout("http://" + host + ":" + std::to_string(port) + "/v1\n");
    std::fflush(stdout);
  });
  print_note("stopped");
  return ExitCode::kHolds;
}

}  // namespace

void add_serve_command(CLI::App& app, Action& chosen) {
  const auto arguments = std::make_shared<ServeArguments>();
  arguments->server.port = 8080;
  arguments->key_variable = "MOEBENCH_API_KEY";
  CLI::App* sub = app.add_subcommand("serve", "Serve a model over OpenAI's HTTP API");
  sub->footer(kFooter);

  const std::string where = "Where to serve";
  sub->add_option("--host", arguments->server.host, "Address to listen on")
      ->capture_default_str()
      ->option_text("ADDRESS")
      ->group(where);
  sub->add_option("--port", arguments->server.port, "0: any free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str()
      ->option_text("N")
      ->group(where);
  sub->add_option("--served-name", arguments->name, "The model's name; default: the file's")
      ->option_text("NAME")
      ->group(where);
  sub->add_option("--api-key-env", arguments->key_variable,
                  "Variable that holds the key which clients must send; unset: none is asked for")
      ->capture_default_str()
      ->option_text("VAR")
      ->group(where);
  sub->add_option("--api-key-file", arguments->key_file, "File with the key in its first line")
      ->option_text("FILE")
      ->group(where);

  const std::string limits = "Limits";
  const auto number = [&](const std::string& flag, std::int64_t& value, const std::string& help,
                          std::int64_t lowest, std::int64_t highest) {
    sub->add_option(flag, value, help)
        ->capture_default_str()
        ->option_text("N")
        ->check(CLI::Range(lowest, highest))
        ->group(limits);
  };
  number("-b,--batch-size", arguments->engine.max_batch_sequences, "Sequences decoded together", 1,
         4096);
  number("--context", arguments->engine.max_context_tokens,
         "Longest prompt and answer together (0: what the model allows)", 0, 1'000'000'000);
  number("--queue", arguments->queue, "Requests that may wait; more get status 429", 0, 1'000'000);
  number("--max-connections", arguments->server.max_connections, "Open connections", 1, 1'000'000);
  number("--max-body-mib", arguments->body_mib, "Largest request body", 1, 1024);
  number("--request-seconds", arguments->request_seconds, "Longest time for a request", 1, 604'800);
  number("--shutdown-seconds", arguments->shutdown_seconds,
         "How long running requests may go on after Ctrl-C", 0, 86'400);
  add_engine_options(*sub, arguments->engine);

  sub->callback([arguments, &chosen] { chosen = [arguments] { return serve(*arguments); }; });
}

}  // namespace moebench
