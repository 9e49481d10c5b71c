#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/expected.h"
#include "engine/engine.h"

namespace moebench {

/// What kind of server speaks, as far as its requests or replies differ.
enum class ServerKind : std::uint8_t {
  kUnknown,   ///< gets only what the API documents
  kMoebench,  ///< `moebench serve`: exact seeds, thinking told apart, token ids
  kOpenAi,    ///< max_completion_tokens for chats
  kVllm,      ///< also SGLang: reports the true finish reason
  kLlamaCpp,  ///< also llama-cpp-python's
};

/// One entry of /v1/models and what it tells.
struct ServedModel {
  std::string id;
  std::string owned_by;
  std::string version;
  EngineInfo info;  ///< what is known of it; complete for kMoebench
};

ServerKind server_kind(std::string_view owned_by);

/// Reads /v1/models. The unexpected value says what is wrong with it.
Expected<std::vector<ServedModel>, std::string> parse_models(std::string_view body);

/// Whether the request goes to chat/completions.
bool is_chat(const GenerationRequest& request);

/// The body of a streaming request. Where a server has defaults of its own for what the API does
/// not document (top-k, min-p, penalties on repetition), they are switched off by name: what was
/// asked for is what is measured. The unexpected value says what the server cannot be asked for.
Expected<std::string, std::string> request_body(const GenerationRequest& request,
                                                const std::string& model, ServerKind kind);

/// What one chunk of a stream adds.
struct StreamChunk {
  std::string text, thinking;           ///< thinking: of a field of its own
  std::vector<std::int32_t> token_ids;  ///< where the server tells them
  std::string finish_reason;            ///< empty: goes on
  std::string finish_detail;            ///< kMoebench: in our own words
  bool stop_reason_is_null = false;     ///< vLLM: no stop string ended it
  bool has_choice = false;
  std::optional<Usage> usage;
};

/// Reads a chunk's JSON. The unexpected value says what is wrong; an error that the server put into
/// its stream comes out so, too.
Expected<StreamChunk, std::string> parse_chunk(std::string_view payload);

/// The message of an OpenAI-shaped error body, or the body's begin as printable text.
std::string error_message(std::string_view body);

/// The reason in our words. `hit_limit`: as many tokens came as were asked for; some servers call
/// that "stop".
FinishReason finish_of(const StreamChunk& last, const GenerationRequest& request, ServerKind kind,
                       bool hit_limit);

}  // namespace moebench
