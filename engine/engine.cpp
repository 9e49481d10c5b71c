#include "engine/engine.h"

#include <cmath>
#include <string_view>
#include <utility>

#include "engine/backends/cpu/cpu_backend.h"
#include "engine/backends/cuda/plugin_loader.h"
#include "engine/backends/host_experts.h"
#include "engine/backends/reference/reference_backend.h"
#include "engine/base/error.h"
#include "engine/cache_sizing.h"
#include "engine/canary/embedded.h"
#include "engine/device_memory_need.h"
#include "engine/model/forward.h"
#include "engine/model/model_source.h"
#include "engine/model/weights.h"
#include "engine/runtime/available_memory.h"
#include "engine/runtime/step_loop.h"
#include "engine/runtime/usable_cores.h"
#include "engine/tensor/convert.h"
#include "engine/text/chat_template.h"
#include "engine/tokenizer_source.h"

namespace moebench {
namespace {

/// Left for everything that isn't weights, cache or workspace.
constexpr std::int64_t kMemoryMarginBytes = 256 << 20;
/// On a device: the CUDA context's growth and the ops' workspace.
constexpr std::int64_t kDeviceMarginBytes = 512 << 20;

std::unique_ptr<Backend> cpu_backend(const EngineOptions& options) {
  return make_cpu_backend(options.threads > 0 ? options.threads : usable_cores());
}

cuda::DenseProducts dense_products_of(const EngineOptions& options) {
  if (options.cuda_dense == "own") return cuda::DenseProducts::kOwn;
  if (options.cuda_dense == "cublaslt") return cuda::DenseProducts::kCublasLt;
  throw Error(ErrorCode::kUsage,
              "nobody makes dense products by the name of \"" + options.cuda_dense + "\"",
              "choose own or cublaslt");
}

std::unique_ptr<Backend> make_backend(const EngineOptions& options) {
  if (options.device == "reference") return make_reference_backend();
  if (options.device == "cpu") return cpu_backend(options);
  if (const std::optional<int> index = cuda_index(options.device)) {
    std::unique_ptr<Backend> gpu = cuda::load_backend(*index, dense_products_of(options));
    if (!options.cpu_experts) return gpu;
    return with_host_experts(std::move(gpu), cpu_backend(options));
  }
  throw Error(ErrorCode::kUsage, "unknown device \"" + options.device + "\"",
              "choose cpu, reference or cuda:N (moebench devices lists them)");
}

DType kv_type_of(const EngineOptions& options) {
  if (options.kv_cache_type == "f32") return DType::kF32;
  if (options.kv_cache_type == "f16") return DType::kF16;
  throw Error(ErrorCode::kUsage, "unknown KV cache type \"" + options.kv_cache_type + "\"",
              "choose f32 or f16");
}

std::optional<DType> weight_type_of(const EngineOptions& options) {
  if (!options.weight_type) return std::nullopt;
  const auto type = parse_dtype(*options.weight_type);
  if (!type || !can_convert_from_f32(*type))
    throw Error(ErrorCode::kUsage, "cannot requantise to \"" + *options.weight_type + "\"",
                "choose f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k or q6_k");
  return type;
}

void check(const EngineOptions& options) {
  const auto refuse = [](const std::string& what) { throw Error(ErrorCode::kUsage, what); };
  if (options.cpu_experts && !cuda_index(options.device))
    throw Error(ErrorCode::kUsage,
                "experts on the CPU are for a model whose rest is on a GPU; the device is " +
                    options.device,
                "--device cuda:N, or no --cpu-experts");
  if (dense_products_of(options) != cuda::DenseProducts::kOwn && !cuda_index(options.device))
    throw Error(ErrorCode::kUsage, "cuBLASLt is for GPUs; the device is " + options.device,
                "--device cuda:N, or no --cuda-dense");
  if (options.threads < 0) refuse("the number of threads is negative");
  if (options.max_batch_sequences < 1) refuse("max_batch_sequences has to be at least 1");
  if (options.max_step_tokens < options.max_batch_sequences)
    refuse("max_step_tokens (" + std::to_string(options.max_step_tokens) +
           ") has to be at least max_batch_sequences (" +
           std::to_string(options.max_batch_sequences) + ")");
  if (options.max_context_tokens < 0 || options.kv_cache_bytes < 0)
    refuse("context and cache sizes can't be negative");
}

std::shared_ptr<const ModelFiles> files_of(const EngineOptions& options) {
  return options.model == "canary" ? embedded_canary() : ModelFiles::open(options.model);
}

std::string model_name_of(const std::string& model) {
  std::filesystem::path path(model);
  if (!path.has_filename()) path = path.parent_path();  // "folder/"
  return path.filename().string();
}

/// A reason why a request can't be served; empty when it can.
std::string refusal_of(const GenerationRequest& request, std::int64_t max_context_tokens,
                       std::int64_t vocab, const std::vector<std::int32_t>& tokens) {
  const SamplingSettings& s = request.sampling;
  const std::int64_t n = static_cast<std::int64_t>(tokens.size());
  if (!(s.temperature >= 0) || !std::isfinite(s.temperature)) return "temperature is not >= 0";
  if (!(s.top_p > 0 && s.top_p <= 1)) return "top_p is not in (0, 1]";
  if (s.top_k < 0) return "top_k is negative";
  if (request.max_tokens < 1) return "max_tokens is less than 1";
  if (request.max_thinking_tokens < 0) return "max_thinking_tokens is negative";
  if (request.top_logprobs < 0) return "top_logprobs is negative";
  if (request.max_thinking_tokens > 0 && !request.separate_thinking)
    return "a thinking budget needs the thinking told apart";
  if (n == 0) return "the prompt is empty";
  if (n >= max_context_tokens)
    return "the prompt has " + std::to_string(n) + " tokens; the context holds " +
           std::to_string(max_context_tokens) + " and needs room for an answer";
  for (const std::int32_t token : tokens)
    if (token < 0 || token >= vocab)
      return "the prompt holds token " + std::to_string(token) + "; the vocabulary ends at " +
             std::to_string(vocab - 1);
  return {};
}

class EngineOverStepLoop final : public Engine {
 public:
  explicit EngineOverStepLoop(const EngineOptions& options);

  const EngineInfo& info() const override { return info_; }
  void submit(GenerationRequest request) override;
  void cancel(std::uint64_t request_id) override { loop_->cancel(request_id); }
  std::vector<GenerationEvent> next_events(std::chrono::milliseconds timeout) override {
    return loop_->next_events(timeout);
  }
  std::vector<StepRecord> take_step_records() override { return loop_->take_step_records(); }
  std::vector<std::int64_t> expert_token_counts() override { return loop_->expert_token_counts(); }
  std::vector<std::int32_t> tokenize(const std::string& text) const override {
    return tokenizer().encode(text);
  }
  std::string token_bytes(std::int32_t token) const override {
    return std::string(tokenizer().token_bytes(token));
  }

 private:
  struct Prompt {
    std::vector<std::int32_t> tokens;
    bool starts_in_thinking = false;
  };

  void load(const EngineOptions& options);
  void describe(const EngineOptions& options, const ModelSource& source);
  const Tokenizer& tokenizer() const;
  Prompt prompt_of(const GenerationRequest& request) const;
  std::unique_ptr<Sequence> sequence_of(const GenerationRequest& request, Prompt prompt) const;

  // In the order of construction: each uses those before it.
  std::unique_ptr<Backend> backend_;
  ModelConfig config_;
  Weights weights_;
  std::optional<Tokenizer> tokenizer_;
  std::optional<ChatTemplate> chat_template_;
  EngineInfo info_;
  std::unique_ptr<StepLoop> loop_;
};

EngineOverStepLoop::EngineOverStepLoop(const EngineOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  load(options);
  info_.load_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void EngineOverStepLoop::load(const EngineOptions& options) {
  check(options);
  const DType kv_type = kv_type_of(options);
  const auto weight_type = weight_type_of(options);
  backend_ = make_backend(options);
  ModelSource source = open_model(files_of(options));
  config_ = source.config;
  tokenizer_ = tokenizer_of(source);
  if (tokenizer_ && !tokenizer_->chat_template().empty())
    chat_template_.emplace(tokenizer_->chat_template());
  describe(options, source);

  const std::int64_t bytes_per_token =
      kv_values_per_token(config_) * static_cast<std::int64_t>(traits(kv_type).block_bytes);
  const std::int64_t workspace_bytes = Forward::workspace_bytes(
      config_, {options.max_step_tokens, options.max_batch_sequences,
                config_.max_positions / PagePool::kBlockTokens + 1,
                options.max_batch_sequences + SchedulerLimits::kMaxPromptLogitRows});
  // The ops' own workspace, of which sampling's copy of the logits is the largest part.
  const std::int64_t margin_bytes =
      backend_->free_memory_bytes()
          ? kDeviceMarginBytes + options.max_batch_sequences * config_.vocab * 4
          : kMemoryMarginBytes;
  if (const auto free_bytes = backend_->free_memory_bytes())
    check_device_memory(*backend_, static_cast<std::int64_t>(*free_bytes),
                        weight_bytes_on(*backend_, source, weight_type, options.cpu_experts),
                        workspace_bytes + margin_bytes, bytes_per_token * PagePool::kBlockTokens);

  const std::int64_t before_bytes = resident_anonymous_bytes();
  weights_ = load_weights(config_, source.checkpoint, *backend_, weight_type);
  const std::int64_t copied_bytes = resident_anonymous_bytes() - before_bytes;
  // Weights used as mapped count as available memory, but they have to stay.
  const std::int64_t mapped_bytes =
      std::max<std::int64_t>(0, weights_.bytes.total() - std::max<std::int64_t>(0, copied_bytes));

  StepLoopSettings settings;
  settings.limits = {options.max_batch_sequences, options.max_step_tokens};
  settings.kv_type = kv_type;
  settings.prefix_cache = options.prefix_cache;
  const auto free_bytes = backend_->free_memory_bytes();
  const std::int64_t available_bytes =
      free_bytes ? static_cast<std::int64_t>(*free_bytes) : available_memory_bytes() - mapped_bytes;
  const CacheSize size = choose_cache_size(
      options, config_, bytes_per_token,
      std::max<std::int64_t>(0, available_bytes - workspace_bytes - margin_bytes));
  settings.n_pages = size.n_pages;
  settings.max_context_tokens = size.max_context_tokens;
  loop_ = std::make_unique<StepLoop>(config_, weights_, *backend_, settings);

  info_.weight_types = weights_.matrix_types;
  info_.total_parameters = weights_.total_parameters;
  info_.active_parameters = weights_.active_parameters;
  info_.weight_bytes = weights_.bytes.total();
  info_.kv_bytes_per_token = bytes_per_token;
  info_.max_context_tokens = size.max_context_tokens;
  info_.kv_cache_tokens = size.n_pages * PagePool::kBlockTokens;
}

void EngineOverStepLoop::describe(const EngineOptions& options, const ModelSource& source) {
  info_.model_name = model_name_of(options.model);
  info_.family = config_.family;
  info_.format = source.checkpoint.format();
  info_.model_sha256 = model_sha256(*source.files);
  info_.n_layers = static_cast<std::int64_t>(config_.layers.size());
  for (const LayerConfig& layer : config_.layers) {
    if (!layer.moe) continue;
    ++info_.n_moe_layers;
    info_.n_experts = std::max<std::int64_t>(info_.n_experts, layer.moe->router.n_experts);
    info_.experts_per_token =
        std::max<std::int64_t>(info_.experts_per_token, layer.moe->router.top_k);
  }
  info_.vocab = config_.vocab;
  const BackendInfo backend = backend_->info();
  info_.device = backend.name;
  info_.isa = backend.isa;
  info_.threads = backend.threads;
  if (options.cpu_experts && info_.n_moe_layers > 0) info_.experts_device = "cpu";
  info_.kv_cache_type = options.kv_cache_type;
  info_.has_chat_template = chat_template_.has_value();
}

const Tokenizer& EngineOverStepLoop::tokenizer() const {
  if (!tokenizer_)
    throw Error(ErrorCode::kUsage, info_.model_name + " comes without a tokenizer",
                "add its tokenizer.json, or give prompts as tokens");
  return *tokenizer_;
}

EngineOverStepLoop::Prompt EngineOverStepLoop::prompt_of(const GenerationRequest& request) const {
  if (const auto* tokens = std::get_if<std::vector<std::int32_t>>(&request.prompt)) {
    if (!tokenizer_) return {*tokens, false};
    // The last few tokens tell whether the thinking is open.
    std::string tail;
    for (std::size_t i = tokens->size() > 16 ? tokens->size() - 16 : 0; i < tokens->size(); ++i)
      if (tokenizer_->is_token((*tokens)[i])) tail += tokenizer_->token_bytes((*tokens)[i]);
    return {*tokens, opens_thinking(tail)};
  }
  if (const auto* text = std::get_if<std::string>(&request.prompt)) {
    // A raw prompt may hold special tokens, as it may have been rendered elsewhere; if it has its
    // own BOS, it gets no second one.
    EncodeOptions encode{.parse_special = true, .add_special = true};
    const auto bos = tokenizer().bos_id();
    if (bos && text->starts_with(tokenizer().token_bytes(*bos))) encode.add_special = false;
    return {tokenizer().encode(*text, encode), opens_thinking(*text)};
  }
  if (!chat_template_)
    throw Error(ErrorCode::kUsage, info_.model_name + " has no chat template",
                "give the prompt as plain text");
  std::vector<TemplateMessage> messages;
  for (const ChatMessage& m : std::get<std::vector<ChatMessage>>(request.prompt))
    messages.push_back({m.role, m.content});
  const std::string text =
      chat_template_->render(tokenizer(), messages, {.unix_time = request.now_unix_seconds});
  return {tokenizer().encode(text, {.parse_special = true}), opens_thinking(text)};
}

std::unique_ptr<Sequence> EngineOverStepLoop::sequence_of(const GenerationRequest& request,
                                                          Prompt prompt) const {
  auto sequence = std::make_unique<Sequence>();
  sequence->request_id = request.id;
  sequence->sampling = request.sampling;
  sequence->top_logprobs = request.top_logprobs;
  sequence->wants_prompt_logprobs = request.prompt_logprobs && request.top_logprobs > 0;
  sequence->tokens = std::move(prompt.tokens);
  sequence->prompt_tokens = sequence->n_tokens();
  const std::int64_t longest =
      std::min(info_.max_context_tokens, sequence->prompt_tokens + request.max_tokens);
  sequence->tokens.reserve(static_cast<std::size_t>(longest));
  StreamDecoderOptions text;
  text.stop = request.stop;
  text.starts_in_thinking = prompt.starts_in_thinking;
  text.separate_thinking = request.separate_thinking;
  const OutputLimits limits{request.max_tokens, request.max_thinking_tokens,
                            info_.max_context_tokens, request.ignore_eos};
  sequence->output = std::make_unique<Output>(tokenizer_ ? &*tokenizer_ : nullptr, std::move(text),
                                              limits, sequence->prompt_tokens);
  return sequence;
}

void EngineOverStepLoop::submit(GenerationRequest request) {
  std::string refusal;
  Prompt prompt;
  try {
    prompt = prompt_of(request);
    refusal = refusal_of(request, info_.max_context_tokens, info_.vocab, prompt.tokens);
  } catch (const Error& error) {
    refusal = error.what();
  }
  if (refusal.empty()) {
    loop_->submit(sequence_of(request, std::move(prompt)));
    return;
  }
  GenerationEvent event;
  event.request_id = request.id;
  event.time = std::chrono::steady_clock::now();
  event.finish = FinishReason::kFailed;
  event.usage.prompt_tokens = static_cast<std::int64_t>(prompt.tokens.size());
  event.failure = refusal;
  loop_->reject(std::move(event));
}

}  // namespace

std::unique_ptr<Engine> Engine::load(const EngineOptions& options) {
  return std::make_unique<EngineOverStepLoop>(options);
}

}  // namespace moebench
