#include "harness/gate/divergence.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/engine.h"
#include "harness/gate/program.h"
#include "harness/run/plan.h"
#include "harness/run/player.h"
#include "harness/run/settings.h"

namespace moebench {
namespace {

using std::filesystem::path;

struct Answer {
  std::vector<std::int32_t> tokens;
  std::vector<std::vector<std::pair<std::int32_t, double>>> top;  // a list a token

  std::optional<double> gap(std::size_t at, std::int32_t over, std::int32_t under) const {
    if (at >= top.size()) return std::nullopt;
    std::optional<double> high, low;
    for (const auto& [token, logprob] : top[at]) {
      if (token == over) high = logprob;
      if (token == under) low = logprob;
    }
    if (!high || !low) return std::nullopt;
    return *high - *low;  // the normaliser is the same, so this is the gap of the logits, too
  }
};

// The request as the run made it, or nothing when the question is not in the plan.
std::optional<GenerationRequest> find_request(const RunPlan& plan, const ChangedOutput& changed) {
  for (const Attempt& attempt : plan.attempts()) {
    const PlannedTask& task = plan.tasks[attempt.task];
    if (task.task.name == changed.task && attempt.index == changed.attempt &&
        task.questions[attempt.question].id == changed.question_id)
      return make_request(plan, attempt, 0);
  }
  return std::nullopt;
}

std::optional<std::vector<std::string>> generate_arguments(const GenerationRequest& request,
                                                           const Settings& settings) {
  std::vector<std::string> arguments = {"generate",       "--json",
                                        "--top-logprobs", "20",
                                        "--max-tokens",   std::to_string(request.max_tokens)};
  std::string prompt;
  if (const auto* text = std::get_if<std::string>(&request.prompt)) {
    arguments.push_back("--raw");
    prompt = *text;
  } else if (const auto* chat = std::get_if<std::vector<ChatMessage>>(&request.prompt);
             chat != nullptr && chat->size() == 1 && (*chat)[0].role == "user") {
    prompt = (*chat)[0].content;
  } else {
    return std::nullopt;
  }
  // `generate` knows sample 0 alone, and a seed as it is.
  if (request.sampling.temperature > 0) {
    if (request.sampling.sample_index != 0) return std::nullopt;
    arguments.insert(
        arguments.end(),
        {"--temperature", std::to_string(request.sampling.temperature), "--top-p",
         std::to_string(request.sampling.top_p), "--top-k", std::to_string(request.sampling.top_k),
         "--seed", std::to_string(request.sampling.seed)});
  }
  for (const char* name : {"model", "device", "cuda-dense", "weights-type", "kv-cache-type"})
    if (const auto setting = settings.find(name); setting != settings.end())
      arguments.insert(arguments.end(), {"--" + std::string(name), setting->second});
  arguments.insert(arguments.end(), {"--", prompt});
  return arguments;
}

Answer read_answer(const path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  const nlohmann::json json = nlohmann::json::parse(line, nullptr, false);
  Answer answer;
  try {
    answer.tokens = json.at("tokens").get<std::vector<std::int32_t>>();
    if (json.contains("logprobs"))
      for (const auto& entry : json.at("logprobs"))
        answer.top.push_back(entry.at("top").get<std::vector<std::pair<std::int32_t, double>>>());
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorCode::kIo,
                std::string("`generate --json` wrote something else: ") + error.what());
  }
  return answer;
}

}  // namespace

std::optional<TokenDivergence> find_divergence(const ChangedOutput& changed,
                                               const GateSettings& settings, const path& baseline,
                                               const path& candidate, const path& scratch) {
  const RunPlan plan = make_plan(parse_run_settings(settings.check));
  const auto request = find_request(plan, changed);
  if (!request) return std::nullopt;
  const auto arguments = generate_arguments(*request, settings.check);
  if (!arguments) return std::nullopt;
  const auto answer_of = [&](const path& program, const std::string& name) {
    ProgramCall call;
    call.name = "the " + name + " (" + program.string() + ")";
    call.program = program;
    call.arguments = *arguments;
    call.output_file = scratch / ("generate-" + name + ".json");
    call.error_file = scratch / ("generate-" + name + ".stderr");
    call.timeout_seconds = settings.run_timeout_seconds;
    run_program(call);
    return read_answer(call.output_file);
  };
  const Answer a = answer_of(baseline, "baseline"), b = answer_of(candidate, "candidate");
  const auto parted =
      std::mismatch(a.tokens.begin(), a.tokens.end(), b.tokens.begin(), b.tokens.end());
  if (parted.first == a.tokens.end() || parted.second == b.tokens.end()) return std::nullopt;
  const auto at = static_cast<std::size_t>(parted.first - a.tokens.begin());
  TokenDivergence divergence;
  divergence.token_index = static_cast<std::int64_t>(at);
  divergence.baseline_token = *parted.first;
  divergence.candidate_token = *parted.second;
  divergence.baseline_gap = a.gap(at, *parted.first, *parted.second);
  divergence.candidate_gap = b.gap(at, *parted.first, *parted.second);
  return divergence;
}

}  // namespace moebench
