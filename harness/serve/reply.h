#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "harness/serve/api_error.h"
#include "harness/serve/api_request.h"

namespace moebench {

/// What a reply needs to know besides its request.
struct ReplyContext {
  std::string id;     ///< "cmpl-..." or "chatcmpl-..."
  std::string model;  ///< as /v1/models names it
  std::int64_t created_unix_seconds = 0;
  /// The bytes of a token; see Engine::token_bytes.
  std::function<std::string(std::int32_t)> token_bytes;
};

/// Turns the events of one request's choices into OpenAI's JSON: a body when all have ended, or
/// server-sent events as they come. Not thread-safe.
class Reply {
 public:
  Reply(ApiRequest request, ReplyContext context);
  Reply(Reply&&) noexcept;
  ~Reply();

  /// `event.request_id` is the choice's index.
  void take(GenerationEvent event);

  bool finished() const noexcept { return unfinished_ == 0; }
  /// What ended a choice, if something did; the other choices don't matter then.
  const std::optional<ApiError>& failure() const noexcept { return failure_; }
  bool streams() const noexcept { return request_.stream; }
  bool has_output() const noexcept { return has_output_; }

  /// The server-sent events that became ready since the last call; after the last choice, the usage
  /// (where asked for) and "[DONE]". A failure becomes an event with an error.
  std::string take_stream();
  /// Precondition: finished() and no failure().
  std::string body() const;

 private:
  struct Choice;

  bool chat() const noexcept { return request_.kind == ApiKind::kChat; }
  nlohmann::ordered_json frame(const char* object) const;
  nlohmann::ordered_json usage() const;
  void stream_event(std::size_t index, const GenerationEvent& event, const std::string& text);
  void add_logprobs(Choice& choice, const GenerationEvent& event);
  std::string prompt_text(const GenerationEvent& event, std::size_t index) const;
  std::string token_text(std::int32_t token) const;

  ApiRequest request_;
  ReplyContext context_;
  std::vector<Choice> choices_;
  std::size_t unfinished_;
  bool has_output_ = false;
  bool closed_ = false;  // "[DONE]" is out
  std::optional<ApiError> failure_;
  std::string stream_;
};

}  // namespace moebench
