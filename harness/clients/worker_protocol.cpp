#include "harness/clients/worker_protocol.h"

#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "engine/base/container_traits.h"

namespace moebench {

namespace {

using Json = nlohmann::ordered_json;
using TimePoint = std::chrono::steady_clock::time_point;

constexpr int kMaxDepth = 16;  // a message is eight deep
constexpr std::size_t kLengthBytes = 4;

// The members of each struct, named once; writer and reader both visit this list. The structured
// bindings are there so that a member that is added doesn't compile before it is listed.

template <class F>
void visit(F& f, HelloMessage& m) {
  auto& [protocol, build] = m;
  f("protocol", protocol);
  f("build", build);
}

template <class F>
void visit(F& f, EngineOptions& o) {
  auto& [model, device, cpu_experts, cuda_dense, threads, weight_type, kv_cache_type,
         max_batch_sequences, max_step_tokens, max_context_tokens, kv_cache_bytes, prefix_cache] =
      o;
  f("model", model);
  f("device", device);
  f("cpu_experts", cpu_experts);
  f("cuda_dense", cuda_dense);
  f("threads", threads);
  f("weight_type", weight_type);
  f("kv_cache_type", kv_cache_type);
  f("max_batch_sequences", max_batch_sequences);
  f("max_step_tokens", max_step_tokens);
  f("max_context_tokens", max_context_tokens);
  f("kv_cache_bytes", kv_cache_bytes);
  f("prefix_cache", prefix_cache);
}

template <class F>
void visit(F& f, LoadMessage& m) {
  f("options", m.options);
}

template <class F>
void visit(F& f, EngineInfo& i) {
  auto& [model_name, family, format, model_sha256, weight_types, total_parameters,
         active_parameters, weight_bytes, kv_bytes_per_token, n_layers, n_moe_layers, n_experts,
         experts_per_token, vocab, max_context_tokens, kv_cache_tokens, device, isa, kv_cache_type,
         experts_device, threads, has_chat_template, load_seconds] = i;
  f("model_name", model_name);
  f("family", family);
  f("format", format);
  f("model_sha256", model_sha256);
  f("weight_types", weight_types);
  f("total_parameters", total_parameters);
  f("active_parameters", active_parameters);
  f("weight_bytes", weight_bytes);
  f("kv_bytes_per_token", kv_bytes_per_token);
  f("n_layers", n_layers);
  f("n_moe_layers", n_moe_layers);
  f("n_experts", n_experts);
  f("experts_per_token", experts_per_token);
  f("vocab", vocab);
  f("max_context_tokens", max_context_tokens);
  f("kv_cache_tokens", kv_cache_tokens);
  f("device", device);
  f("isa", isa);
  f("kv_cache_type", kv_cache_type);
  f("experts_device", experts_device);
  f("threads", threads);
  f("has_chat_template", has_chat_template);
  f("load_seconds", load_seconds);
}

template <class F>
void visit(F& f, ClientInfo& i) {
  auto& [engine_name, engine_version, endpoint, engine] = i;
  f("engine_name", engine_name);
  f("engine_version", engine_version);
  f("endpoint", endpoint);
  f("engine", engine);
}

template <class F>
void visit(F& f, ReadyMessage& m) {
  f("info", m.info);
}

template <class F>
void visit(F& f, FailureMessage& m) {
  auto& [code, what, remedy] = m;
  f("code", code);
  f("what", what);
  f("remedy", remedy);
}

template <class F>
void visit(F& f, ChatMessage& m) {
  auto& [role, content] = m;
  f("role", role);
  f("content", content);
}

template <class F>
void visit(F& f, SamplingSettings& s) {
  auto& [temperature, top_p, top_k, seed, sample_index] = s;
  f("temperature", temperature);
  f("top_p", top_p);
  f("top_k", top_k);
  f("seed", seed);
  f("sample_index", sample_index);
}

template <class F>
void visit(F& f, GenerationRequest& r) {
  auto& [id, prompt, sampling, max_tokens, max_thinking_tokens, stop, ignore_eos, top_logprobs,
         prompt_logprobs, separate_thinking, now_unix_seconds] = r;
  f("id", id);
  f("prompt", prompt);
  f("sampling", sampling);
  f("max_tokens", max_tokens);
  f("max_thinking_tokens", max_thinking_tokens);
  f("stop", stop);
  f("ignore_eos", ignore_eos);
  f("top_logprobs", top_logprobs);
  f("prompt_logprobs", prompt_logprobs);
  f("separate_thinking", separate_thinking);
  f("now_unix_seconds", now_unix_seconds);
}

template <class F>
void visit(F& f, SubmitMessage& m) {
  f("request", m.request);
}

template <class F>
void visit(F& f, CancelMessage& m) {
  f("request_id", m.request_id);
}

template <class F>
void visit(F& f, TokenLogprobs& l) {
  auto& [logprob, top] = l;
  f("logprob", logprob);
  f("top", top);
}

template <class F>
void visit(F& f, Usage& u) {
  auto& [prompt_tokens, cached_tokens, output_tokens, thinking_tokens] = u;
  f("prompt_tokens", prompt_tokens);
  f("cached_tokens", cached_tokens);
  f("output_tokens", output_tokens);
  f("thinking_tokens", thinking_tokens);
}

template <class F>
void visit(F& f, GenerationEvent& e) {
  auto& [request_id, time, tokens, logprobs, prompt_tokens, prompt_logprobs, thinking_delta,
         text_delta, finish, usage, failure] = e;
  f("request_id", request_id);
  f("time", time);
  f("tokens", tokens);
  f("logprobs", logprobs);
  f("prompt_tokens", prompt_tokens);
  f("prompt_logprobs", prompt_logprobs);
  f("thinking_delta", thinking_delta);
  f("text_delta", text_delta);
  f("finish", finish);
  if (e.finish == FinishReason::kNone) return;  // read already, and most events end nothing
  f("usage", usage);
  f("failure", failure);
}

template <class F>
void visit(F& f, StepRecord& s) {
  auto& [begin, end, prefill_tokens, decode_tokens, sequences, kv_tokens_read, activated_experts,
         weight_bytes_read, flops] = s;
  f("begin", begin);
  f("end", end);
  f("prefill_tokens", prefill_tokens);
  f("decode_tokens", decode_tokens);
  f("sequences", sequences);
  f("kv_tokens_read", kv_tokens_read);
  f("activated_experts", activated_experts);
  f("weight_bytes_read", weight_bytes_read);
  f("flops", flops);
}

template <class F>
void visit(F& f, EventsMessage& m) {
  auto& [events, steps, expert_token_counts, peak_memory_bytes] = m;
  f("events", events);
  f("steps", steps);
  f("expert_token_counts", expert_token_counts);
  f("peak_memory_bytes", peak_memory_bytes);
}

// The type's name in a frame, by its place in WorkerMessage.
constexpr std::array<const char*, 7> kTypes = {"hello",  "load",   "ready", "failure",
                                               "submit", "cancel", "events"};
static_assert(kTypes.size() == std::variant_size_v<WorkerMessage>);

template <class T>
inline constexpr bool is_pair = false;
template <class A, class B>
inline constexpr bool is_pair<std::pair<A, B>> = true;
template <class T>
inline constexpr bool is_variant = false;
template <class... T>
inline constexpr bool is_variant<std::variant<T...>> = true;

// The last value of each enum that travels.
constexpr int last_value(FinishReason) { return static_cast<int>(FinishReason::kFailed); }
constexpr int last_value(ErrorCode) { return static_cast<int>(ErrorCode::kInternal); }

template <class T>
void write_value(Json& out, T& value);

struct Writer {
  Json& out;
  template <class T>
  void operator()(const char* name, T& value) {
    write_value(out[name], value);
  }
};

template <class T>
void write_value(Json& out, T& value) {
  if constexpr (std::is_floating_point_v<T>) {
    // JSON has no infinities; a log-probability may be one.
    if (std::isfinite(value))
      out = value;
    else
      out = std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    out = value;
  } else if constexpr (std::is_enum_v<T>) {
    out = static_cast<int>(value);
  } else if constexpr (std::is_same_v<T, TimePoint>) {
    // The steady clock is the machine's, so the other process's readings compare with ours.
    out = std::chrono::duration_cast<std::chrono::nanoseconds>(value.time_since_epoch()).count();
  } else if constexpr (is_optional<T>) {
    if (value) write_value(out, *value);  // else null
  } else if constexpr (is_pair<T>) {
    out = Json::array();
    write_value(out.emplace_back(), value.first);
    write_value(out.emplace_back(), value.second);
  } else if constexpr (is_vector<T>) {
    out = Json::array();
    for (auto& element : value) write_value(out.emplace_back(), element);
  } else if constexpr (is_variant<T>) {
    out = Json::array({value.index()});
    std::visit([&](auto& held) { write_value(out.emplace_back(), held); }, value);
  } else {
    out = Json::object();
    Writer writer{out};
    visit(writer, value);
  }
}

// What is wrong with a message; caught in decode_message.
struct Malformed {
  std::string what;
};

template <class T>
void read_value(const Json& in, T& value, const char* name);

struct Reader {
  const Json& in;
  template <class T>
  void operator()(const char* name, T& value) {
    const auto it = in.find(name);
    if (it == in.end()) throw Malformed{std::string("\"") + name + "\" is missing"};
    read_value(*it, value, name);
  }
};

[[noreturn]] void malformed(const char* name, const char* should_be) {
  throw Malformed{std::string("\"") + name + "\" should be " + should_be};
}

template <class T>
T read_integer(const Json& in, const char* name) {
  if (!in.is_number_integer()) malformed(name, "a whole number");
  if (in.is_number_unsigned()) {
    const auto wide = in.get<std::uint64_t>();
    if (wide > static_cast<std::uint64_t>(std::numeric_limits<T>::max()))
      malformed(name, "a smaller number");
    return static_cast<T>(wide);
  }
  const auto wide = in.get<std::int64_t>();  // negative
  if (std::is_unsigned_v<T> || wide < static_cast<std::int64_t>(std::numeric_limits<T>::min()))
    malformed(name, "a larger number");
  return static_cast<T>(wide);
}

template <std::size_t I = 0, class V>
void read_alternative(const Json& in, std::size_t index, V& value, const char* name) {
  if constexpr (I < std::variant_size_v<V>) {
    if (index == I)
      read_value(in, value.template emplace<I>(), name);
    else
      read_alternative<I + 1>(in, index, value, name);
  } else {
    malformed(name, "of a known kind");
  }
}

template <class T>
void read_value(const Json& in, T& value, const char* name) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!in.is_boolean()) malformed(name, "true or false");
    value = in.get<bool>();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (in.is_string()) {
      constexpr T kInfinity = std::numeric_limits<T>::infinity();
      const auto& text = in.get_ref<const std::string&>();
      if (text != "nan" && text != "inf" && text != "-inf") malformed(name, "a number");
      value = text == "nan"   ? std::numeric_limits<T>::quiet_NaN()
              : text == "inf" ? kInfinity
                              : -kInfinity;
    } else {
      if (!in.is_number()) malformed(name, "a number");
      value = in.get<T>();
    }
  } else if constexpr (std::is_integral_v<T>) {
    value = read_integer<T>(in, name);
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!in.is_string()) malformed(name, "a string");
    value = in.get_ref<const std::string&>();
  } else if constexpr (std::is_enum_v<T>) {
    const int number = read_integer<int>(in, name);
    if (number < 0 || number > last_value(T{})) malformed(name, "a known value");
    value = static_cast<T>(number);
  } else if constexpr (std::is_same_v<T, TimePoint>) {
    value = TimePoint(std::chrono::nanoseconds(read_integer<std::int64_t>(in, name)));
  } else if constexpr (is_optional<T>) {
    if (in.is_null())
      value.reset();
    else
      read_value(in, value.emplace(), name);
  } else if constexpr (is_pair<T>) {
    if (!in.is_array() || in.size() != 2) malformed(name, "a pair");
    read_value(in[0], value.first, name);
    read_value(in[1], value.second, name);
  } else if constexpr (is_vector<T>) {
    if (!in.is_array()) malformed(name, "a list");
    value.clear();
    value.reserve(in.size());
    for (const Json& element : in) read_value(element, value.emplace_back(), name);
  } else if constexpr (is_variant<T>) {
    if (!in.is_array() || in.size() != 2) malformed(name, "a kind and its value");
    read_alternative(in[1], read_integer<std::size_t>(in[0], name), value, name);
  } else {
    if (!in.is_object()) malformed(name, "an object");
    Reader reader{in};
    visit(reader, value);
  }
}

Json parse_bounded(std::string_view body) {
  return Json::parse(body, [](int depth, Json::parse_event_t, Json&) {
    if (depth > kMaxDepth) throw Malformed{"it is nested too deeply"};
    return true;
  });
}

}  // namespace

std::string encode_frame(const WorkerMessage& message) {
  Json json;
  json["type"] = kTypes[message.index()];
  Writer writer{json};
  // The visitors take what they read and what they write by the same non-const reference.
  std::visit(
      [&](const auto& m) { visit(writer, const_cast<std::remove_cvref_t<decltype(m)>&>(m)); },
      message);
  // A worker's own text (a failure that quotes a broken file) may hold anything; a prompt must
  // arrive as it is or not at all.
  const bool to_worker = std::holds_alternative<LoadMessage>(message) ||
                         std::holds_alternative<SubmitMessage>(message);
  std::string body;
  try {
    body = json.dump(-1, ' ', false,
                     to_worker ? Json::error_handler_t::strict : Json::error_handler_t::replace);
  } catch (const Json::exception&) {
    throw Error(ErrorCode::kUsage, "the text is no valid UTF-8, so it can't be sent to a worker");
  }
  if (body.size() > kMaxFrameBytes) {
    throw Error(ErrorCode::kUsage, "a message of " + std::to_string(body.size()) +
                                       " bytes is too large for a worker (64 MiB)");
  }
  std::string frame;
  frame.reserve(kLengthBytes + body.size());
  for (std::size_t i = 0; i < kLengthBytes; ++i)
    frame.push_back(static_cast<char>((body.size() >> (8 * i)) & 0xff));
  return frame + body;
}

Expected<WorkerMessage, std::string> decode_message(std::string_view body) {
  try {
    const Json json = parse_bounded(body);
    if (!json.is_object()) throw Malformed{"it is no object"};
    std::string type;
    Reader{json}("type", type);
    for (std::size_t i = 0; i < kTypes.size(); ++i) {
      if (type != kTypes[i]) continue;
      WorkerMessage message;
      read_alternative(json, i, message, kTypes[i]);
      return message;
    }
    throw Malformed{"its type is unknown"};
  } catch (const Malformed& malformed) {
    return Unexpected<std::string>(malformed.what);
  } catch (const Json::exception& error) {
    return Unexpected<std::string>(std::string("it is no JSON: ") + error.what());
  }
}

Expected<std::optional<std::string>, std::string> FrameReader::next() {
  const std::string_view unread = std::string_view(buffer_).substr(begin_);
  std::size_t length = 0;
  if (unread.size() >= kLengthBytes) {
    for (std::size_t i = 0; i < kLengthBytes; ++i)
      length |= static_cast<std::size_t>(static_cast<unsigned char>(unread[i])) << (8 * i);
    if (length > kMaxFrameBytes) {
      return Unexpected<std::string>("a frame of " + std::to_string(length) + " bytes");
    }
  }
  if (unread.size() < kLengthBytes || unread.size() - kLengthBytes < length) {
    buffer_.erase(0, begin_);
    begin_ = 0;
    return std::optional<std::string>();
  }
  std::optional<std::string> body(unread.substr(kLengthBytes, length));
  begin_ += kLengthBytes + length;
  return body;
}

}  // namespace moebench
