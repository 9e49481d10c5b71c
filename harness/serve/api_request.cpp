#include "harness/serve/api_request.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

namespace moebench {

std::string error_body(const ApiError& error) {
  const auto or_null = [](const std::string& text) {
    return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(text);
  };
  const nlohmann::ordered_json body = {{"error",
                                        {{"message", error.message},
                                         {"type", error.type},
                                         {"param", or_null(error.param)},
                                         {"code", or_null(error.code)}}}};
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 12;  // messages -> message -> content -> part is 5
constexpr std::int64_t kMostTokens = std::int64_t{1} << 31;
constexpr int kMaxTopLogprobs = 20;
constexpr std::size_t kMaxStops = 64;
constexpr std::size_t kMaxStopBytes = 4096;

// What a client may say without any effect on what comes back.
const std::set<std::string, std::less<>> kIgnored = {"model",
                                                     "user",
                                                     "metadata",
                                                     "store",
                                                     "service_tier",
                                                     "cache_prompt",
                                                     "safety_identifier",
                                                     "prompt_cache_key",
                                                     "parallel_tool_calls"};

// What another engine would do; a value that asks for nothing is fine.
const std::set<std::string, std::less<>> kMustBeZero = {"presence_penalty", "frequency_penalty",
                                                        "min_p", "min_tokens"};
const std::set<std::string, std::less<>> kMustBeOne = {"repetition_penalty", "repeat_penalty",
                                                       "typical_p"};
const std::set<std::string, std::less<>> kMustBeEmpty = {"logit_bias", "suffix", "tools",
                                                         "functions"};

[[noreturn]] void refuse(const std::string& field, const std::string& message) {
  throw ApiError{400, "invalid_request_error", message, field, ""};
}

std::int64_t integer(const Json& value, const std::string& field, std::int64_t lowest,
                     std::int64_t highest) {
  const bool fits =
      value.is_number_integer() &&
      !(value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{INT64_MAX});
  if (!fits || value.get<std::int64_t>() < lowest || value.get<std::int64_t>() > highest) {
    refuse(field, "'" + field + "' has to be an integer from " + std::to_string(lowest) + " to " +
                      std::to_string(highest));
  }
  return value.get<std::int64_t>();
}

double number(const Json& value, const std::string& field, double lowest, double highest) {
  if (!value.is_number() || !(value.get<double>() >= lowest && value.get<double>() <= highest)) {
    refuse(field, "'" + field + "' has to be a number from " + Json(lowest).dump() + " to " +
                      Json(highest).dump());
  }
  return value.get<double>();
}

bool boolean(const Json& value, const std::string& field) {
  if (!value.is_boolean()) refuse(field, "'" + field + "' has to be true or false");
  return value.get<bool>();
}

std::string text(const Json& value, const std::string& field) {
  if (!value.is_string()) refuse(field, "'" + field + "' has to be a string");
  return value.get<std::string>();
}

std::vector<std::string> stops(const Json& value) {
  std::vector<std::string> list;
  if (value.is_string()) {
    list.push_back(value.get<std::string>());
  } else if (value.is_array()) {
    for (const Json& item : value) list.push_back(text(item, "stop"));
  } else {
    refuse("stop", "'stop' has to be a string or a list of strings");
  }
  for (const std::string& stop : list) {
    if (stop.empty() || stop.size() > kMaxStopBytes)
      refuse("stop", "a stop string is empty or longer than 4096 bytes");
  }
  if (list.size() > kMaxStops) refuse("stop", "there are more than 64 stop strings");
  return list;
}

using Prompt = decltype(GenerationRequest::prompt);

std::vector<std::int32_t> token_list(const Json& value) {
  std::vector<std::int32_t> tokens;
  tokens.reserve(value.size());
  for (const Json& item : value) {
    tokens.push_back(static_cast<std::int32_t>(integer(item, "prompt", 0, INT32_MAX)));
  }
  return tokens;
}

std::vector<Prompt> prompts(const Json& value) {
  if (value.is_string()) return {value.get<std::string>()};
  if (!value.is_array() || value.empty()) {
    refuse("prompt", "'prompt' has to be a string, a list of token ids, or a list of those");
  }
  if (value.front().is_number()) return {token_list(value)};
  std::vector<Prompt> list;
  for (const Json& item : value) {
    if (item.is_array()) {
      list.emplace_back(token_list(item));
    } else {
      list.emplace_back(text(item, "prompt"));
    }
  }
  return list;
}

ChatMessage message(const Json& value) {
  if (!value.is_object() || !value.contains("role")) {
    refuse("messages", "each of 'messages' has to be an object with a role and a content");
  }
  ChatMessage result;
  result.role = text(value["role"], "role");
  if (result.role == "developer") result.role = "system";
  if (result.role != "system" && result.role != "user" && result.role != "assistant") {
    refuse("messages", "the role '" + result.role.substr(0, 40) +
                           "' is unknown here: system, developer, user and assistant are served");
  }
  const Json content = value.value("content", Json());
  if (content.is_string()) {
    result.content = content.get<std::string>();
  } else if (content.is_array()) {
    for (const Json& part : content) {
      if (!part.is_object() || part.value("type", Json()) != "text") {
        refuse("messages", "only parts of type 'text' are served");
      }
      result.content += text(part.value("text", Json()), "text");
    }
  } else if (!(content.is_null() && result.role == "assistant")) {
    refuse("messages", "a message's content has to be a string or a list of text parts");
  }
  return result;
}

Prompt conversation(const Json& value, const ApiLimits& limits) {
  if (!limits.has_chat_template) {
    refuse("messages", "the model has no chat template; /v1/completions takes plain prompts");
  }
  if (!value.is_array() || value.empty()) refuse("messages", "'messages' has to be a list");
  std::vector<ChatMessage> messages;
  for (const Json& item : value) messages.push_back(message(item));
  return messages;
}

std::uint64_t fresh_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

// One request's fields, read in the order in which the client gave them.
class Reader {
 public:
  Reader(ApiKind kind, const ApiLimits& limits) : limits_(limits) {
    result_.kind = kind;
    request_.sampling.temperature = 1;  // the API's default
    request_.separate_thinking = chat();
    if (chat()) request_.max_tokens = limits.default_max_tokens;
    if (!chat()) request_.max_tokens = 16;  // the API's default
  }

  ApiRequest read(const Json& body) {
    if (!body.is_object()) refuse("", "the body has to be a JSON object");
    for (const auto& [field, value] : body.items()) {
      if (value.is_null() || kIgnored.contains(field)) continue;
      if (!common_field(field, value) &&
          !(chat() ? chat_field(field, value) : completion_field(field, value))) {
        unserved_field(field, value);
      }
    }
    if (prompts_.empty()) {
      refuse(chat() ? "messages" : "prompt",
             chat() ? "'messages' is missing" : "'prompt' is missing");
    }
    return finish();
  }

 private:
  bool chat() const { return result_.kind == ApiKind::kChat; }

  bool common_field(const std::string& field, const Json& value) {
    SamplingSettings& sampling = request_.sampling;
    if (field == "max_tokens") {
      request_.max_tokens = integer(value, field, chat() ? 1 : 0, kMostTokens);
    } else if (field == "temperature") {
      sampling.temperature = number(value, field, 0, 100);
    } else if (field == "top_p") {
      sampling.top_p = number(value, field, 0, 1);
      if (sampling.top_p == 0) refuse(field, "'top_p' has to be above 0");
    } else if (field == "top_k") {
      sampling.top_k = std::max<std::int64_t>(0, integer(value, field, -1, INT32_MAX));
    } else if (field == "n") {
      result_.n = integer(value, field, 1, limits_.max_choices);
    } else if (field == "seed") {
      if (!value.is_number_integer()) refuse(field, "'seed' has to be an integer");
      seed_ = value.is_number_unsigned() ? value.get<std::uint64_t>()
                                         : static_cast<std::uint64_t>(value.get<std::int64_t>());
    } else if (field == "sample_index") {
      sampling.sample_index = static_cast<std::uint64_t>(integer(value, field, 0, INT32_MAX));
    } else if (field == "stop") {
      request_.stop = stops(value);
    } else if (field == "stream") {
      result_.stream = boolean(value, field);
    } else if (field == "stream_options") {
      if (!value.is_object()) refuse(field, "'stream_options' has to be an object");
      result_.include_usage = boolean(value.value("include_usage", Json(false)), "include_usage");
    } else if (field == "ignore_eos") {
      request_.ignore_eos = boolean(value, field);
    } else if (field == "return_token_ids") {
      result_.token_ids = boolean(value, field);
    } else {
      return false;
    }
    return true;
  }

  bool completion_field(const std::string& field, const Json& value) {
    if (field == "prompt") {
      prompts_ = prompts(value);
    } else if (field == "echo") {
      result_.echo = boolean(value, field);
    } else if (field == "logprobs") {
      result_.logprobs = static_cast<int>(integer(value, field, 0, kMaxTopLogprobs));
    } else if (field == "best_of") {
      best_of_ = integer(value, field, 1, limits_.max_choices);
    } else if (field == "separate_reasoning") {
      request_.separate_thinking = boolean(value, field);
    } else {
      return false;
    }
    return true;
  }

  bool chat_field(const std::string& field, const Json& value) {
    if (field == "messages") {
      prompts_ = {conversation(value, limits_)};
    } else if (field == "max_completion_tokens") {
      request_.max_tokens = integer(value, field, 1, kMostTokens);
    } else if (field == "max_thinking_tokens") {
      request_.max_thinking_tokens = integer(value, field, 0, kMostTokens);
    } else if (field == "logprobs") {
      wants_logprobs_ = boolean(value, field);
    } else if (field == "top_logprobs") {
      top_logprobs_ = static_cast<int>(integer(value, field, 0, kMaxTopLogprobs));
    } else if (field == "response_format") {
      if (!value.is_object() || value.value("type", Json()) != "text")
        refuse(field, "only the response format 'text' is served");
    } else if (field == "tool_choice") {
      if (value != "none" && value != "auto") refuse(field, "tools are not served");
    } else {
      return false;
    }
    return true;
  }

  static void unserved_field(const std::string& field, const Json& value) {
    const bool neutral = (kMustBeZero.contains(field) && value == 0) ||
                         (kMustBeOne.contains(field) && value == 1) ||
                         (kMustBeEmpty.contains(field) && (value.empty() || value == ""));
    if (neutral) return;
    const bool known =
        kMustBeZero.contains(field) || kMustBeOne.contains(field) || kMustBeEmpty.contains(field);
    refuse(field, known ? "'" + field + "' is not served"
                        : "unrecognized request argument: '" + field.substr(0, 80) + "'");
  }

  ApiRequest finish() {
    if (best_of_ && *best_of_ != result_.n) refuse("best_of", "'best_of' has to be equal to 'n'");
    if (chat() && wants_logprobs_) result_.logprobs = top_logprobs_.value_or(0);
    if (chat() && top_logprobs_ && !wants_logprobs_)
      refuse("top_logprobs", "'top_logprobs' needs 'logprobs': true");
    if (request_.max_tokens == 0) {
      if (!result_.echo) refuse("max_tokens", "'max_tokens' may be 0 only with 'echo'");
      result_.prompt_only = true;
      request_.max_tokens = 1;
    }
    if (result_.echo && !chat() && request_.separate_thinking == true)
      refuse("echo", "'echo' does not go with 'separate_reasoning'");
    if (result_.logprobs) request_.top_logprobs = std::max(1, *result_.logprobs);
    request_.prompt_logprobs = result_.echo && result_.logprobs.has_value();
    request_.sampling.seed = seed_ ? *seed_ : fresh_seed();
    if (static_cast<std::int64_t>(prompts_.size()) > limits_.max_choices / result_.n) {
      refuse("prompt", "at most " + std::to_string(limits_.max_choices) +
                           " choices (prompts times n) are served at once");
    }
    const std::uint64_t first_sample = request_.sampling.sample_index;
    for (const Prompt& prompt : prompts_) {
      for (std::int64_t i = 0; i < result_.n; ++i) {
        GenerationRequest request = request_;
        request.id = result_.requests.size();
        request.prompt = prompt;
        request.sampling.sample_index = first_sample + static_cast<std::uint64_t>(i);
        result_.requests.push_back(std::move(request));
      }
    }
    return std::move(result_);
  }

  const ApiLimits& limits_;
  ApiRequest result_;
  GenerationRequest request_;  // what all choices have in common
  std::vector<Prompt> prompts_;
  std::optional<std::uint64_t> seed_;
  std::optional<std::int64_t> best_of_;
  std::optional<int> top_logprobs_;
  bool wants_logprobs_ = false;
};

Json parse_bounded(std::string_view body) {
  const Json::parser_callback_t bound = [](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxDepth) refuse("", "the body is nested too deeply");
    return true;
  };
  try {
    return Json::parse(body, bound);
  } catch (const Json::exception& error) {
    // The library's message names the position; its quote of the input stays out.
    refuse("", "the body is not valid JSON (error " + std::to_string(error.id) + ")");
  }
}

}  // namespace

Expected<ApiRequest, ApiError> parse_api_request(ApiKind kind, std::string_view body,
                                                 const ApiLimits& limits) {
  try {
    return Reader(kind, limits).read(parse_bounded(body));
  } catch (const ApiError& error) {
    return Unexpected<ApiError>(error);
  }
}

}  // namespace moebench
