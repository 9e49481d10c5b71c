#include "harness/serve/reply.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/base/check.h"
#include "harness/clients/engine_client.h"

namespace moebench {

namespace {

using Json = nlohmann::ordered_json;

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// JSON has no infinity; the API's own servers say -9999 for "never".
Json logprob_json(float value) { return std::isinf(value) ? Json(-9999.0) : Json(value); }

std::int64_t count_characters(const std::string& bytes) {
  return std::count_if(bytes.begin(), bytes.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

// The API knows two ways to end well; "finish_detail" tells which of ours it was.
const char* api_finish(FinishReason reason) {
  return reason == FinishReason::kLength || reason == FinishReason::kContext ? "length" : "stop";
}

ApiError to_api_error(const GenerationEvent& event) {
  ApiError error;
  error.message = event.failure;
  if (event.finish == FinishReason::kCancelled) {
    return {503, "server_error", "the request was cancelled by the server", "", "cancelled"};
  }
  if (event.usage.output_tokens > 0) {
    error.status = 500;
    error.type = "server_error";
  } else if (event.failure.find("the context holds") != std::string::npos) {
    error.code = "context_length_exceeded";
  }
  return error;
}

}  // namespace

struct Reply::Choice {
  std::string text, thinking;
  FinishReason finish = FinishReason::kNone;
  Usage usage;
  std::vector<std::int32_t> token_ids;
  // Of /v1/completions:
  Json tokens = Json::array(), token_logprobs = Json::array(), top_logprobs = Json::array();
  Json text_offset = Json::array();
  std::int64_t characters = 0;
  // Of /v1/chat/completions:
  Json content_logprobs = Json::array();
  bool started = false;  // something of it is in the stream

  Json take_logprobs(bool chat) {
    if (chat) return {{"content", std::exchange(content_logprobs, Json::array())}};
    return {{"tokens", std::exchange(tokens, Json::array())},
            {"token_logprobs", std::exchange(token_logprobs, Json::array())},
            {"top_logprobs", std::exchange(top_logprobs, Json::array())},
            {"text_offset", std::exchange(text_offset, Json::array())}};
  }
};

Reply::Reply(ApiRequest request, ReplyContext context)
    : request_(std::move(request)),
      context_(std::move(context)),
      choices_(request_.requests.size()),
      unfinished_(choices_.size()) {}

Reply::Reply(Reply&&) noexcept = default;
Reply::~Reply() = default;

// A token's text; bytes that are a part of a character are spelt as the API spells them.
std::string Reply::token_text(std::int32_t token) const {
  const std::string bytes = context_.token_bytes(token);
  try {
    (void)nlohmann::json(bytes).dump();
    return bytes;
  } catch (const nlohmann::json::exception&) {
    std::string text = "bytes:";
    for (const char c : bytes) {
      char hex[8];
      std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned char>(c));
      text += hex;
    }
    return text;
  }
}

std::string Reply::prompt_text(const GenerationEvent& event, std::size_t index) const {
  const auto& prompt = request_.requests[index].prompt;
  if (const auto* text = std::get_if<std::string>(&prompt)) return *text;
  const auto* tokens = std::get_if<std::vector<std::int32_t>>(&prompt);
  std::string text;
  for (const std::int32_t token : tokens != nullptr ? *tokens : event.prompt_tokens) {
    text += context_.token_bytes(token);
  }
  return text;
}

void Reply::add_logprobs(Choice& choice, const GenerationEvent& event) {
  const auto n_top = static_cast<std::size_t>(*request_.logprobs);
  const auto bytes_json = [this](std::int32_t token) {
    Json list = Json::array();
    for (const char c : context_.token_bytes(token)) list.push_back(static_cast<unsigned char>(c));
    return list;
  };
  const auto add = [&](std::int32_t token, const TokenLogprobs* known) {
    if (chat()) {
      Json top = Json::array();
      for (std::size_t i = 0; i < std::min(n_top, known->top.size()); ++i) {
        const auto& [id, logprob] = known->top[i];
        top.push_back({{"token", token_text(id)},
                       {"logprob", logprob_json(logprob)},
                       {"bytes", bytes_json(id)}});
      }
      choice.content_logprobs.push_back({{"token", token_text(token)},
                                         {"logprob", logprob_json(known->logprob)},
                                         {"bytes", bytes_json(token)},
                                         {"top_logprobs", std::move(top)}});
      return;
    }
    choice.tokens.push_back(token_text(token));
    choice.text_offset.push_back(choice.characters);
    choice.characters += count_characters(context_.token_bytes(token));
    if (known == nullptr) {  // the prompt's first token
      choice.token_logprobs.push_back(nullptr);
      choice.top_logprobs.push_back(nullptr);
      return;
    }
    Json top = Json::object();
    for (std::size_t i = 0; i < std::min(n_top, known->top.size()); ++i) {
      top[token_text(known->top[i].first)] = logprob_json(known->top[i].second);
    }
    if (n_top > 0) top[token_text(token)] = logprob_json(known->logprob);
    choice.token_logprobs.push_back(logprob_json(known->logprob));
    choice.top_logprobs.push_back(std::move(top));
  };
  for (std::size_t i = 0; i < event.prompt_tokens.size(); ++i) {
    add(event.prompt_tokens[i], i == 0 ? nullptr : &event.prompt_logprobs[i - 1]);
  }
  if (request_.prompt_only) return;
  for (std::size_t i = 0; i < std::min(event.tokens.size(), event.logprobs.size()); ++i) {
    add(event.tokens[i], &event.logprobs[i]);
  }
}

void Reply::take(GenerationEvent event) {
  const std::size_t index = event.request_id;
  MOEBENCH_CHECK(index < choices_.size() && choices_[index].finish == FinishReason::kNone);
  Choice& choice = choices_[index];
  has_output_ = has_output_ || !event.tokens.empty();
  if (event.finish == FinishReason::kFailed || event.finish == FinishReason::kCancelled) {
    choice.finish = event.finish;
    --unfinished_;
    if (!failure_) failure_ = to_api_error(event);
    return;
  }
  std::string text;
  if (request_.echo && !choice.started) text = prompt_text(event, index);
  if (request_.logprobs) add_logprobs(choice, event);
  if (request_.prompt_only) {
    event.text_delta.clear();
    event.tokens.clear();
  }
  text += event.text_delta;
  choice.usage = event.usage;
  choice.finish = event.finish;
  if (event.finish != FinishReason::kNone) --unfinished_;
  if (request_.stream) {
    stream_event(index, event, text);
  } else {
    choice.text += text;
    choice.thinking += event.thinking_delta;
    if (request_.token_ids) {
      choice.token_ids.insert(choice.token_ids.end(), event.tokens.begin(), event.tokens.end());
    }
  }
  choice.started = true;
}

Json Reply::frame(const char* object) const {
  return {{"id", context_.id},
          {"object", object},
          {"created", context_.created_unix_seconds},
          {"model", context_.model}};
}

void Reply::stream_event(std::size_t index, const GenerationEvent& event, const std::string& text) {
  Choice& choice = choices_[index];
  const bool last = event.finish != FinishReason::kNone;
  // A token may add nothing yet (a part of a character); its chunk tells that it came.
  Json part = {{"index", index}};
  if (chat()) {
    Json delta = Json::object();
    if (!choice.started) delta["role"] = "assistant";
    if (!event.thinking_delta.empty()) delta["reasoning_content"] = event.thinking_delta;
    if (!text.empty() || (!choice.started && event.thinking_delta.empty())) delta["content"] = text;
    part["delta"] = std::move(delta);
  } else {
    part["text"] = text;
    if (!event.thinking_delta.empty()) part["reasoning_content"] = event.thinking_delta;
  }
  part["logprobs"] = request_.logprobs ? choice.take_logprobs(chat()) : Json();
  part["finish_reason"] = last ? Json(api_finish(event.finish)) : Json();
  if (last) part["finish_detail"] = finish_name(event.finish);
  if (request_.token_ids) part["token_ids"] = event.tokens;
  Json chunk = frame(chat() ? "chat.completion.chunk" : "text_completion");
  chunk["choices"] = Json::array({std::move(part)});
  if (request_.include_usage) chunk["usage"] = nullptr;
  stream_ += "data: " + to_text(chunk) + "\n\n";
}

Json Reply::usage() const {
  std::int64_t prompt = 0, cached = 0, output = 0, thinking = 0;
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    const Usage& usage = choices_[i].usage;
    // The n samples of a prompt have it in common.
    if (i % static_cast<std::size_t>(request_.n) == 0) {
      prompt += usage.prompt_tokens;
      cached += usage.cached_tokens;
    }
    output += request_.prompt_only ? 0 : usage.output_tokens;
    thinking += usage.thinking_tokens;
  }
  return {{"prompt_tokens", prompt},
          {"completion_tokens", output},
          {"total_tokens", prompt + output},
          {"prompt_tokens_details", {{"cached_tokens", cached}}},
          {"completion_tokens_details", {{"reasoning_tokens", thinking}}}};
}

std::string Reply::take_stream() {
  if (failure_ && !closed_) {
    stream_ += "data: " + error_body(*failure_) + "\n\n";
    stream_ += "data: [DONE]\n\n";
    closed_ = true;
  } else if (finished() && !closed_) {
    if (request_.include_usage) {
      Json chunk = frame(chat() ? "chat.completion.chunk" : "text_completion");
      chunk["choices"] = Json::array();
      chunk["usage"] = usage();
      stream_ += "data: " + to_text(chunk) + "\n\n";
    }
    stream_ += "data: [DONE]\n\n";
    closed_ = true;
  }
  return std::exchange(stream_, {});
}

std::string Reply::body() const {
  MOEBENCH_CHECK(finished() && !failure_);
  Json body = frame(chat() ? "chat.completion" : "text_completion");
  Json& list = body["choices"] = Json::array();
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    Choice choice = choices_[i];
    Json part = {{"index", i}};
    if (chat()) {
      part["message"] = {{"role", "assistant"}, {"content", choice.text}};
      if (!choice.thinking.empty()) part["message"]["reasoning_content"] = choice.thinking;
    } else {
      part["text"] = choice.text;
      if (!choice.thinking.empty()) part["reasoning_content"] = choice.thinking;
    }
    part["logprobs"] = request_.logprobs ? choice.take_logprobs(chat()) : Json();
    part["finish_reason"] = api_finish(choice.finish);
    part["finish_detail"] = finish_name(choice.finish);
    if (request_.token_ids) part["token_ids"] = choice.token_ids;
    list.push_back(std::move(part));
  }
  body["usage"] = usage();
  return to_text(body);
}

}  // namespace moebench
