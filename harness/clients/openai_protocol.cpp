#include "harness/clients/openai_protocol.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace moebench {

namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 24;
constexpr std::size_t kMaxMessageBytes = 400;
constexpr std::size_t kMaxModels = 10'000;

// A server's text is hostile: bounded depth, and no exception but this.
struct Malformed {
  std::string what;
};

Json parse(std::string_view text) {
  const Json::parser_callback_t bound = [](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxDepth) throw Malformed{"nested too deeply"};
    return true;
  };
  Json json = Json::parse(text, bound, false);
  if (json.is_discarded()) throw Malformed{"no valid JSON"};
  return json;
}

const Json& member(const Json& object, const char* name) {
  static const Json null;
  if (!object.is_object()) return null;
  const auto found = object.find(name);
  return found == object.end() ? null : *found;
}

std::string text_of(const Json& value, const char* name) {
  if (value.is_null()) return {};
  if (!value.is_string()) throw Malformed{std::string("'") + name + "' is no string"};
  return value.get<std::string>();
}

std::int64_t count_of(const Json& value, const char* name) {
  if (value.is_null()) return 0;
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  if (!value.is_number_integer() || value.get<std::int64_t>() < 0 ||
      value.get<std::int64_t>() > kMost) {
    throw Malformed{std::string("'") + name + "' is no count"};
  }
  return value.get<std::int64_t>();
}

Usage usage_of(const Json& json) {
  Usage usage;
  usage.prompt_tokens = count_of(member(json, "prompt_tokens"), "prompt_tokens");
  usage.output_tokens = count_of(member(json, "completion_tokens"), "completion_tokens");
  usage.cached_tokens =
      count_of(member(member(json, "prompt_tokens_details"), "cached_tokens"), "cached_tokens");
  usage.thinking_tokens = count_of(
      member(member(json, "completion_tokens_details"), "reasoning_tokens"), "reasoning_tokens");
  return usage;
}

std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text.substr(0, kMaxMessageBytes)) {
    result += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
  }
  // Through JSON, so that a record never holds broken UTF-8.
  const std::string quoted = Json(result).dump(-1, ' ', false, Json::error_handler_t::replace);
  result = Json::parse(quoted).get<std::string>();
  return text.size() > kMaxMessageBytes ? result + "..." : result;
}

EngineInfo moebench_info(const Json& json) {
  EngineInfo info;
  const auto text = [&](const char* name) { return text_of(member(json, name), name); };
  const auto count = [&](const char* name) {
    return member(json, name).is_null() ? 0 : count_of(member(json, name), name);
  };
  info.family = text("family");
  info.format = text("format");
  info.model_sha256 = text("model_sha256");
  info.weight_types = text("weight_types");
  info.total_parameters = count("total_parameters");
  info.active_parameters = count("active_parameters");
  info.weight_bytes = count("weight_bytes");
  info.kv_bytes_per_token = count("kv_bytes_per_token");
  info.n_layers = count("n_layers");
  info.n_moe_layers = count("n_moe_layers");
  info.n_experts = count("n_experts");
  info.experts_per_token = count("experts_per_token");
  info.vocab = count("vocab");
  info.kv_cache_tokens = count("kv_cache_tokens");
  info.device = text("device");
  info.isa = text("isa");
  info.kv_cache_type = text("kv_cache_type");
  info.threads = static_cast<int>(std::min<std::int64_t>(count("threads"), 1 << 20));
  info.has_chat_template = member(json, "has_chat_template") == true;
  return info;
}

Json stop_list(const std::vector<std::string>& stop) { return Json(stop); }

// Other servers take one seed of 31 bits: the samples of a question get different ones.
std::int64_t folded_seed(const SamplingSettings& sampling) {
  std::uint64_t x = sampling.seed + 0x9E3779B97F4A7C15u * (sampling.sample_index + 1);
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return static_cast<std::int64_t>((x ^ (x >> 31)) & 0x7FFFFFFFu);
}

}  // namespace

ServerKind server_kind(std::string_view owned_by) {
  if (owned_by == "moebench") return ServerKind::kMoebench;
  if (owned_by == "vllm" || owned_by == "sglang") return ServerKind::kVllm;
  if (owned_by == "llamacpp" || owned_by == "me") return ServerKind::kLlamaCpp;
  if (owned_by == "system" || owned_by.starts_with("openai")) return ServerKind::kOpenAi;
  return ServerKind::kUnknown;
}

Expected<std::vector<ServedModel>, std::string> parse_models(std::string_view body) {
  try {
    const Json json = parse(body);
    const Json& data = member(json, "data");
    if (!data.is_array()) throw Malformed{"no list of models"};
    std::vector<ServedModel> models;
    for (const Json& item : data) {
      if (models.size() == kMaxModels) break;
      ServedModel model;
      model.id = text_of(member(item, "id"), "id");
      // It is shown on terminals.
      if (model.id != printable(model.id)) throw Malformed{"a model's name that is not printable"};
      model.owned_by = printable(text_of(member(item, "owned_by"), "owned_by"));
      const Json& own = member(item, "moebench");
      if (own.is_object()) {
        model.info = moebench_info(own);
        model.version = printable(text_of(member(own, "version"), "version"));
      } else {
        model.info.has_chat_template = true;  // the server knows; it says so when it has none
      }
      const Json& length = member(item, "max_model_len");
      if (!length.is_null()) model.info.max_context_tokens = count_of(length, "max_model_len");
      const Json& meta = member(item, "meta");  // llama.cpp's server
      if (meta.is_object()) {
        model.info.vocab = count_of(member(meta, "n_vocab"), "n_vocab");
        model.info.total_parameters = count_of(member(meta, "n_params"), "n_params");
        model.info.weight_bytes = count_of(member(meta, "size"), "size");
      }
      model.info.model_name = model.id;
      models.push_back(std::move(model));
    }
    return models;
  } catch (const Malformed& error) {
    return Unexpected<std::string>(error.what);
  }
}

bool is_chat(const GenerationRequest& request) {
  return std::holds_alternative<std::vector<ChatMessage>>(request.prompt);
}

Expected<std::string, std::string> request_body(const GenerationRequest& request,
                                                const std::string& model, ServerKind kind) {
  const bool own = kind == ServerKind::kMoebench;
  if (request.max_thinking_tokens > 0 && !(own && is_chat(request))) {
    return Unexpected<std::string>("the server takes no limit on the thinking's length");
  }
  if (request.top_logprobs > 0) {
    return Unexpected<std::string>("log-probabilities are not read over HTTP");
  }
  Json body = {{"model", model}, {"stream", true}, {"stream_options", {{"include_usage", true}}}};
  if (const auto* messages = std::get_if<std::vector<ChatMessage>>(&request.prompt)) {
    Json& list = body["messages"] = Json::array();
    for (const ChatMessage& m : *messages) {
      list.push_back({{"role", m.role}, {"content", m.content}});
    }
    body[kind == ServerKind::kOpenAi ? "max_completion_tokens" : "max_tokens"] = request.max_tokens;
  } else {
    if (const auto* text = std::get_if<std::string>(&request.prompt)) {
      body["prompt"] = *text;
    } else {
      body["prompt"] = std::get<std::vector<std::int32_t>>(request.prompt);
    }
    body["max_tokens"] = request.max_tokens;
    if (own) body["separate_reasoning"] = true;
  }
  const SamplingSettings& sampling = request.sampling;
  body["temperature"] = sampling.temperature;
  body["top_p"] = sampling.top_p;
  if (kind == ServerKind::kVllm) {  // else what the model's generation_config.json says
    body["top_k"] = sampling.top_k > 0 ? sampling.top_k : -1;
    body["min_p"] = 0;
    body["repetition_penalty"] = 1;
  } else if (kind == ServerKind::kLlamaCpp) {  // theirs: 40, 0.05 and, llama-cpp-python's, 1.1
    body["top_k"] = sampling.top_k;
    body["min_p"] = 0;
    body["repeat_penalty"] = 1;
  } else if (sampling.top_k > 0) {
    body["top_k"] = sampling.top_k;
  }
  if (!request.stop.empty()) body["stop"] = stop_list(request.stop);
  if (request.ignore_eos) body["ignore_eos"] = true;
  if (own) {
    body["seed"] = sampling.seed;
    body["sample_index"] = sampling.sample_index;
    body["return_token_ids"] = true;
    if (request.max_thinking_tokens > 0) body["max_thinking_tokens"] = request.max_thinking_tokens;
  } else if (sampling.temperature > 0) {
    body["seed"] = folded_seed(sampling);
  }
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Expected<StreamChunk, std::string> parse_chunk(std::string_view payload) {
  try {
    const Json json = parse(payload);
    if (!json.is_object()) throw Malformed{"a chunk that is no object"};
    if (const Json& error = member(json, "error"); !error.is_null()) {
      throw Malformed{"the server says: " + error_message(payload)};
    }
    StreamChunk chunk;
    if (const Json& usage = member(json, "usage"); usage.is_object()) {
      chunk.usage = usage_of(usage);
      // llama.cpp's server tells how many of the prompt's tokens it computed.
      const Json& computed = member(member(json, "timings"), "prompt_n");
      if (!computed.is_null() && !usage.contains("prompt_tokens_details")) {
        chunk.usage->cached_tokens =
            std::max<std::int64_t>(0, chunk.usage->prompt_tokens - count_of(computed, "prompt_n"));
      }
    }
    const Json& choices = member(json, "choices");
    if (choices.is_null() || (choices.is_array() && choices.empty())) return chunk;
    if (!choices.is_array() || !choices.front().is_object()) throw Malformed{"no list of choices"};
    const Json& choice = choices.front();
    chunk.has_choice = true;
    const Json& delta = member(choice, "delta");
    const Json& from = delta.is_object() ? delta : choice;
    chunk.text = text_of(member(from, delta.is_object() ? "content" : "text"), "text");
    chunk.thinking = text_of(member(from, "reasoning_content"), "reasoning_content");
    if (chunk.thinking.empty() && member(from, "reasoning").is_string()) {
      chunk.thinking = member(from, "reasoning").get<std::string>();
    }
    chunk.finish_reason = text_of(member(choice, "finish_reason"), "finish_reason");
    chunk.finish_detail = text_of(member(choice, "finish_detail"), "finish_detail");
    chunk.stop_reason_is_null = choice.contains("stop_reason") && choice["stop_reason"].is_null();
    if (const Json& ids = member(choice, "token_ids"); ids.is_array()) {
      for (const Json& id : ids) {
        chunk.token_ids.push_back(static_cast<std::int32_t>(
            std::min<std::int64_t>(count_of(id, "token_ids"), INT32_MAX)));
      }
    }
    return chunk;
  } catch (const Malformed& error) {
    return Unexpected<std::string>(error.what);
  }
}

std::string error_message(std::string_view body) {
  try {
    const Json json = parse(body);
    const Json& error = member(json, "error");
    if (error.is_string()) return printable(error.get<std::string>());
    if (member(error, "message").is_string()) {
      return printable(member(error, "message").get<std::string>());
    }
    for (const char* name : {"message", "detail"}) {
      if (member(json, name).is_string()) return printable(member(json, name).get<std::string>());
    }
  } catch (const Malformed&) {
  }
  return printable(body);
}

FinishReason finish_of(const StreamChunk& last, const GenerationRequest& request, ServerKind kind,
                       bool hit_limit) {
  if (last.finish_detail == "eos") return FinishReason::kEos;
  if (last.finish_detail == "stop") return FinishReason::kStopString;
  if (last.finish_detail == "length") return FinishReason::kLength;
  if (last.finish_detail == "context") return FinishReason::kContext;
  if (last.finish_reason == "length" || last.finish_reason == "max_tokens") {
    return hit_limit ? FinishReason::kLength : FinishReason::kContext;
  }
  if (hit_limit && kind == ServerKind::kUnknown) return FinishReason::kLength;
  return request.stop.empty() || last.stop_reason_is_null ? FinishReason::kEos
                                                          : FinishReason::kStopString;
}

}  // namespace moebench
