#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "harness/cli/commands.h"
#include "harness/cli/console.h"
#include "harness/cli/engine_options.h"
#include "harness/clients/engine_client.h"

namespace moebench {

namespace {

struct GenerateArguments {
  EngineOptions engine;
  RemoteOptions remote;
  std::vector<std::string> prompts;
  bool raw = false;
  bool json_lines = false;
  bool show_thinking = false;
  std::int64_t max_tokens = 512;
  int top_logprobs = 0;
  SamplingSettings sampling;
};

constexpr const char* kFooter = R"(Examples:
  moebench generate --model canary 'Tom has 3 apples and buys 4 more. How many has he?' --thinking
  moebench generate --model ./model.gguf --raw 'Once upon a time' --max-tokens 32 --json
  moebench generate --model ./model.gguf < question.txt)";

struct Answer {
  std::string thinking, text, failure;
  std::vector<std::int32_t> tokens;
  std::vector<TokenLogprobs> logprobs;
  FinishReason finish = FinishReason::kNone;
  Usage usage;
};

nlohmann::ordered_json to_json(const std::string& prompt, const Answer& answer) {
  nlohmann::ordered_json line = {{"prompt", prompt},
                                 {"thinking", answer.thinking},
                                 {"text", answer.text},
                                 {"finish_reason", finish_name(answer.finish)},
                                 {"tokens", answer.tokens},
                                 {"prompt_tokens", answer.usage.prompt_tokens},
                                 {"output_tokens", answer.usage.output_tokens},
                                 {"thinking_tokens", answer.usage.thinking_tokens}};
  if (!answer.failure.empty()) line["failure"] = answer.failure;
  if (!answer.logprobs.empty()) {
    nlohmann::ordered_json& list = line["logprobs"] = nlohmann::ordered_json::array();
    for (const TokenLogprobs& entry : answer.logprobs) {
      nlohmann::ordered_json top = nlohmann::ordered_json::array();
      for (const auto& [token, logprob] : entry.top) top.push_back({token, logprob});
      list.push_back({{"logprob", entry.logprob}, {"top", top}});
    }
  }
  return line;
}

GenerationRequest request_for(const GenerateArguments& arguments, std::size_t index) {
  GenerationRequest request;
  request.id = index;
  if (arguments.raw) {
    request.prompt = arguments.prompts[index];
  } else {
    request.prompt = std::vector<ChatMessage>{{"user", arguments.prompts[index]}};
  }
  request.sampling = arguments.sampling;
  request.max_tokens = arguments.max_tokens;
  request.top_logprobs = arguments.top_logprobs;
  return request;
}

ExitCode generate(GenerateArguments arguments) {
  if (arguments.prompts.empty()) {
    std::string text(std::istreambuf_iterator<char>(std::cin), {});
    if (!text.empty() && text.back() == '\n') text.pop_back();
    if (text.empty()) {
      throw Error(ErrorCode::kUsage, "there is no prompt",
                  "give it as an argument or on standard input");
    }
    arguments.prompts.push_back(std::move(text));
  }
  const std::unique_ptr<EngineClient> client = make_client(arguments.engine, arguments.remote);
  if (!arguments.raw && !client->info().engine.has_chat_template) {
    throw Error(ErrorCode::kUsage, arguments.engine.model + " has no chat template",
                "--raw sends the prompt as it is");
  }
  std::vector<Answer> answers(arguments.prompts.size());
  for (std::size_t i = 0; i < answers.size(); ++i) client->submit(request_for(arguments, i));

  // One prompt streams as it comes; several come out whole and in order.
  const bool stream = answers.size() == 1 && !arguments.json_lines;
  for (std::size_t unfinished = answers.size(); unfinished > 0;) {
    for (GenerationEvent& event : client->next_events(std::chrono::milliseconds(100))) {
      Answer& answer = answers.at(event.request_id);
      answer.thinking += event.thinking_delta;
      answer.text += event.text_delta;
      answer.tokens.insert(answer.tokens.end(), event.tokens.begin(), event.tokens.end());
      std::move(event.logprobs.begin(), event.logprobs.end(), std::back_inserter(answer.logprobs));
      if (stream && arguments.show_thinking) write_stdout(event.thinking_delta);
      if (stream) write_stdout(event.text_delta);
      if (event.finish == FinishReason::kNone) continue;
      answer.finish = event.finish;
      answer.usage = event.usage;
      answer.failure = event.failure;
      --unfinished;
    }
  }
  bool failed = false;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Answer& answer = answers[i];
    if (answer.finish == FinishReason::kFailed) {
      failed = true;
      print_error("prompt " + std::to_string(i + 1) + ": " + answer.failure);
    }
    if (arguments.json_lines) {
      write_stdout(to_json(arguments.prompts[i], answer)
                       .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                   "\n");
    } else if (stream) {
      write_stdout("\n");
    } else {
      write_stdout((arguments.show_thinking ? answer.thinking : "") + answer.text + "\n");
    }
    if (answer.finish == FinishReason::kLength) {
      print_warning("prompt " + std::to_string(i + 1) + ": cut off at --max-tokens " +
                    std::to_string(arguments.max_tokens));
    }
  }
  return failed ? ExitCode::kRunError : ExitCode::kHolds;
}

}  // namespace

void add_generate_command(CLI::App& app, Action& chosen) {
  const auto arguments = std::make_shared<GenerateArguments>();
  CLI::App* sub = app.add_subcommand("generate", "Complete prompts and print the text");
  sub->footer(kFooter);

  const std::string what = "What to generate";
  sub->add_option("prompt", arguments->prompts, "Prompts; none: standard input is one")
      ->option_text("PROMPT...")
      ->group(what);
  sub->add_flag("--raw", arguments->raw, "Send prompts as they are, without the chat template")
      ->group(what);
  sub->add_option("-n,--max-tokens", arguments->max_tokens, "Output tokens at most, a prompt")
      ->capture_default_str()
      ->option_text("N")
      ->check(CLI::PositiveNumber)
      ->group(what);
  sub->add_flag("--thinking", arguments->show_thinking, "Print the thinking, too")->group(what);
  sub->add_flag("--json", arguments->json_lines,
                "One JSON object a prompt: text, token ids, finish reason, usage")
      ->group(what);
  sub->add_option("--top-logprobs", arguments->top_logprobs,
                  "With --json: log-probabilities of each token and of the best N")
      ->capture_default_str()
      ->option_text("N")
      ->check(CLI::Range(0, 20))
      ->group(what);

  const std::string sampling = "Sampling";
  sub->add_option("--temperature", arguments->sampling.temperature, "0: greedy")
      ->capture_default_str()
      ->option_text("T")
      ->check(CLI::NonNegativeNumber)
      ->group(sampling);
  sub->add_option("--top-p", arguments->sampling.top_p, "Smallest set with this probability")
      ->capture_default_str()
      ->option_text("P")
      ->check(CLI::Range(0.0, 1.0))
      ->group(sampling);
  sub->add_option("--top-k", arguments->sampling.top_k, "The K likeliest tokens; 0: all")
      ->capture_default_str()
      ->option_text("K")
      ->check(CLI::NonNegativeNumber)
      ->group(sampling);
  sub->add_option("--seed", arguments->sampling.seed, "Same seed, same text")
      ->capture_default_str()
      ->option_text("N")
      ->group(sampling);
  add_engine_options(*sub, arguments->engine);
  add_remote_options(*sub, arguments->remote);

  sub->callback([arguments, &chosen] { chosen = [arguments] { return generate(*arguments); }; });
}

}  // namespace moebench
