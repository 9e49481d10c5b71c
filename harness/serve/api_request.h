#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/expected.h"
#include "engine/engine.h"
#include "harness/serve/api_error.h"

namespace moebench {

enum class ApiKind : std::uint8_t { kCompletion, kChat };

/// A body of /v1/completions or /v1/chat/completions, understood.
struct ApiRequest {
  ApiKind kind = ApiKind::kCompletion;
  /// One a choice: the n samples of the first prompt, then those of the second, ... Ids are the
  /// choices' indices.
  std::vector<GenerationRequest> requests;
  std::int64_t n = 1;
  bool stream = false;
  bool include_usage = false;   ///< one more chunk with the usage at a stream's end
  bool echo = false;            ///< the text begins with the prompt
  bool prompt_only = false;     ///< max_tokens was 0: the one token that is generated isn't told
  bool token_ids = false;       ///< tell the tokens' ids, too
  std::optional<int> logprobs;  ///< how many alternatives are told besides each token's own
};

/// What one request may ask for.
struct ApiLimits {
  std::int64_t max_choices = 128;       ///< prompts times n
  std::int64_t default_max_tokens = 0;  ///< of a chat that names none
  bool has_chat_template = true;
};

/// Reads a body as the API documents its fields. Fields that ask for something that this engine
/// does not do are refused unless their value is the neutral one; unknown ones are refused by name,
/// as a setting that is silently ignored would falsify what the client measures. Where no seed is
/// given, each call takes a new one.
Expected<ApiRequest, ApiError> parse_api_request(ApiKind kind, std::string_view body,
                                                 const ApiLimits& limits);

}  // namespace moebench
