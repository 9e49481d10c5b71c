#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace moebench {

// The engine's only public header: weights in, tokens out.

/// How to load a model and what it may use. Whatever the engine decides itself is in EngineInfo.
struct EngineOptions {
  /// A Hugging Face directory, a .gguf file, or "canary" for the embedded model.
  std::string model;
  std::string device = "cpu";  ///< "cpu", "reference", "cuda:N" (see list_devices)
  bool cpu_experts = false;    ///< on a GPU: routed experts stay in host memory and run on the CPU
  /// On a GPU: who makes dense products of F16 and BF16 weights, "own" kernels or "cublaslt".
  std::string cuda_dense = "own";
  int threads = 0;  ///< 0: one a physical core this process may use
  std::optional<std::string>
      weight_type;  ///< requantise matrices at load: "f32", "bf16", "q8_0", "q4_0", ...
  std::string kv_cache_type = "f16";      ///< "f32" or "f16"
  std::int64_t max_batch_sequences = 32;  ///< sequences decoded together
  std::int64_t max_step_tokens = 512;     ///< rows of one forward pass (prefill chunks included)
  std::int64_t max_context_tokens = 0;    ///< 0: what the model allows, cut to the cache
  std::int64_t kv_cache_bytes =
      0;  ///< 0: enough for max_batch_sequences at max_context, within memory
  bool prefix_cache = true;
};

struct EngineInfo {
  std::string model_name, family, format;  ///< format: "safetensors", "gguf"
  std::string model_sha256;  ///< of the file list and their contents (see model/README.md)
  std::string weight_types;  ///< "q8_0" or "bf16, f32": what the matrices are kept in
  std::int64_t total_parameters = 0;
  std::int64_t active_parameters = 0;  ///< touched per token, embedding lookup apart
  std::int64_t weight_bytes = 0;
  std::int64_t kv_bytes_per_token = 0;
  std::int64_t n_layers = 0, n_moe_layers = 0, n_experts = 0, experts_per_token = 0;
  std::int64_t vocab = 0, max_context_tokens = 0, kv_cache_tokens = 0;
  std::string device, isa, kv_cache_type;
  std::string experts_device;  ///< "cpu" where routed experts run apart from the rest; else empty
  int threads = 0;
  bool has_chat_template = false;
  double load_seconds = 0;
};

struct ChatMessage {
  std::string role, content;
};

struct SamplingSettings {
  double temperature = 0;  ///< 0: greedy
  double top_p = 1;
  std::int64_t top_k = 0;  ///< 0: no limit
  std::uint64_t seed = 0;
  std::uint64_t sample_index = 0;  ///< which of the n samples of a prompt; part of the random key
};

struct GenerationRequest {
  std::uint64_t id = 0;  ///< the caller's; comes back in every event
  /// Chat messages go through the model's template; a string is a raw prompt; tokens are taken as
  /// they are.
  std::variant<std::vector<ChatMessage>, std::string, std::vector<std::int32_t>> prompt;
  SamplingSettings sampling;
  std::int64_t max_tokens = 512;
  std::int64_t max_thinking_tokens = 0;  ///< 0: no budget of its own
  std::vector<std::string> stop;         ///< not looked for inside the thinking; cut from the text
  bool ignore_eos = false;               ///< for speed measurements
  int top_logprobs = 0;                  ///< > 0: logprob of each token and of the best few
  /// With top_logprobs: of the prompt's tokens, too. Such a prompt is computed as a whole, as the
  /// prefix cache keeps no logits.
  bool prompt_logprobs = false;
  /// False: tags and thinking are ordinary text, as other servers' raw completions give them.
  bool separate_thinking = true;
  /// The time that a chat template with a date in it writes (UTC); absent: the clock's. Whoever
  /// wants the same prompts another day gives the same here.
  std::optional<std::int64_t> now_unix_seconds;
};

enum class FinishReason : std::uint8_t {
  kNone,
  kEos,
  kStopString,
  kLength,
  kContext,
  kCancelled,
  kFailed
};

struct Usage {
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_tokens = 0;    ///< of the prompt, found in the prefix cache
  std::int64_t output_tokens = 0;    ///< thinking included, EOS included
  std::int64_t thinking_tokens = 0;  ///< up to and with the closing tag
};

struct TokenLogprobs {
  float logprob = 0;
  std::vector<std::pair<std::int32_t, float>> top;
};

/// Times are of the steady clock, taken when the step that made the token ended.
struct GenerationEvent {
  std::uint64_t request_id = 0;
  std::chrono::steady_clock::time_point time;
  std::vector<std::int32_t> tokens;
  std::vector<TokenLogprobs> logprobs;  ///< one a token, when asked for
  /// In the first event with a token, when asked for: the prompt as the model saw it, and a logprob
  /// for each of its tokens but the first, which nothing predicts.
  std::vector<std::int32_t> prompt_tokens;
  std::vector<TokenLogprobs> prompt_logprobs;
  std::string thinking_delta;  ///< valid UTF-8 pieces; the tags themselves are in neither
  std::string text_delta;
  // In the last event of a request:
  FinishReason finish = FinishReason::kNone;
  Usage usage;
  std::string failure;  ///< for kFailed: why (prompt longer than the context, ...)
};

/// One forward pass, for the step log.
struct StepRecord {
  std::chrono::steady_clock::time_point begin, end;
  std::int64_t prefill_tokens = 0, decode_tokens = 0, sequences = 0;
  std::int64_t kv_tokens_read = 0;     ///< summed over rows' contexts, per layer the same
  std::int64_t activated_experts = 0;  ///< distinct (layer, expert) pairs touched
  std::int64_t weight_bytes_read = 0;  ///< of what the pass touched; each active expert once
  double flops = 0;
};

/// Thread-safety: submit, cancel and next_events may be called from different threads; the engine
/// runs its step loop on a thread of its own.
class Engine {
 public:
  /// Throws Error(kBadModel, kIo, kDevice, kUsage).
  static std::unique_ptr<Engine> load(const EngineOptions& options);
  virtual ~Engine() = default;

  virtual const EngineInfo& info() const = 0;
  /// Queues the request. What is wrong with it (too long, ...) comes as a kFailed event.
  virtual void submit(GenerationRequest request) = 0;
  virtual void cancel(std::uint64_t request_id) = 0;
  /// Waits until something happened or the time is over; events in order per request. Throws what
  /// ended the step loop, if something did.
  virtual std::vector<GenerationEvent> next_events(std::chrono::milliseconds timeout) = 0;
  /// Steps since the last call.
  virtual std::vector<StepRecord> take_step_records() = 0;
  /// Tokens routed so far, (n_moe_layers, n_experts) row by row.
  virtual std::vector<std::int64_t> expert_token_counts() = 0;
  /// Token ids of a text as the model's tokenizer sees it (no template, no BOS).
  virtual std::vector<std::int32_t> tokenize(const std::string& text) const = 0;
  /// The bytes that a token adds to a text, which may be part of a character. Throws Error(kUsage)
  /// for an id without a token, or a model without a tokenizer.
  virtual std::string token_bytes(std::int32_t token) const = 0;
};

/// A device that EngineOptions::device can name.
struct DeviceInfo {
  std::string device;       ///< "cpu", "reference", "cuda:0"
  std::string description;  ///< in words
  std::string isa;          ///< "avx2", "sm_90"
  std::string runs;         ///< what it can run, in words
  bool serves = true;       ///< false: a GPU that is there but too old
  // GPUs only:
  std::int64_t multiprocessors = 0, memory_bytes = 0, free_memory_bytes = 0;
  std::int64_t core_clock_mhz = 0, memory_clock_mhz = 0;  ///< the highest; 0 where not told
  std::int64_t memory_bus_bits = 0;
};

struct DeviceList {
  std::vector<DeviceInfo> devices;
  std::string cuda_plugin;       ///< its file and build, where it was loaded
  std::string cuda_driver;       ///< "580.65.06 (CUDA 13.0)", where there is one
  std::string cuda_unavailable;  ///< why no CUDA device can serve; empty where one can
};
/// "cuda:2" -> 2; nothing for what isn't a CUDA device's name.
std::optional<int> cuda_index(std::string_view device);

/// Asking for a GPU's free memory takes a few hundred MB of it for a context.
DeviceList list_devices(bool with_free_memory = true);

/// A GPU's own meters, now (NVML). Not for the step loop.
struct PowerReading {
  std::optional<double> energy_joules;  ///< since the driver was loaded
  std::optional<double> power_watts;
  std::int64_t core_clock_mhz = 0, memory_clock_mhz = 0, temperature_celsius = 0;
  std::string throttled;  ///< why the clocks are held down; empty: they aren't
};
/// Of `device` ("cuda:0"); nothing for devices without such meters.
std::optional<PowerReading> read_power(const std::string& device);

/// What a model's files say, without loading the weights.
struct ModelInspection {
  struct Kind {
    std::string name;   ///< "attention", "routed experts", ...
    std::string types;  ///< "q8_0" or "bf16, f32"
    std::int64_t tensors = 0, parameters = 0, active_parameters = 0, bytes = 0;
  };
  EngineInfo info;  ///< what is known before loading: no device, no cache
  std::int64_t hidden = 0;
  std::int64_t kv_values_per_token = 0;
  std::string attention;      ///< in words
  std::string router;         ///< in words; empty for dense models
  std::string tokenizer;      ///< in words; empty where there is none
  std::string chat_template;  ///< its source
  std::vector<Kind> kinds;
  std::vector<std::string> notes;
};

/// Throws Error(kBadModel, kIo), as Engine::load would for the same files.
ModelInspection inspect_model(const std::string& model);

struct QuantizeResult {
  std::int64_t bytes_before = 0, bytes_after = 0;
  std::int64_t tensors = 0, converted = 0;
  std::vector<std::string> notes;
};

/// Writes a GGUF with the matrices of `model` (a .gguf file, split or not, a Hugging Face directory
/// or "canary") as `type`; matrices whose rows fill no blocks of it become q8_0 or stay as they
/// are. Norms, biases and routers stay as they are, or become f32 where the model was no GGUF.
/// llama.cpp loads the result. Throws Error(kUsage) for a type that cannot be written or a model
/// that GGUF has no words for, Error(kBadModel, kIo) otherwise.
QuantizeResult quantize_model(const std::string& model, const std::string& output,
                              const std::string& type);

}  // namespace moebench
