#include "harness/serve/service.h"

#include <chrono>
#include <nlohmann/json.hpp>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "harness/environment/build.h"

namespace moebench {

namespace {

using Json = nlohmann::ordered_json;

std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Takes as long for a near miss as for a far one, so that a key can't be guessed piece by piece.
bool same_secret(std::string_view given, std::string_view expected) noexcept {
  unsigned difference = given.size() == expected.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    difference |= static_cast<unsigned char>(given[i]) ^
                  static_cast<unsigned char>(expected[i % expected.size()]);
  }
  return difference == 0;
}

// A model's name may hold what a URL's path must not.
std::string percent_decoded(std::string_view path) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string text;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool escape =
        path[i] == '%' && i + 2 < path.size() && digit(path[i + 1]) >= 0 && digit(path[i + 2]) >= 0;
    text += escape ? static_cast<char>(digit(path[i + 1]) * 16 + digit(path[i + 2])) : path[i];
    if (escape) i += 2;
  }
  return text;
}

HttpAnswer json_answer(const Json& body) {
  return {200, "application/json", body.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

}  // namespace

HttpAnswer error_answer(const ApiError& error) {
  HttpAnswer answer{error.status, "application/json", error_body(error)};
  if (error.status == 429 || error.status == 503) answer.headers.push_back({"Retry-After", "1"});
  if (error.status == 401) answer.headers.push_back({"WWW-Authenticate", "Bearer"});
  return answer;
}

/// Where the dispatcher's thread leaves events for the connection's.
class Generation::Mailbox final : public EventSink {
 public:
  explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  void deliver(GenerationEvent event) override {
    const std::lock_guard lock(mutex_);
    if (!wake_) return;
    events_.push_back(std::move(event));
    if (events_.size() == 1) wake_();  // later ones come along with the first
  }
  std::vector<GenerationEvent> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(events_, {});
  }
  void close() {
    const std::lock_guard lock(mutex_);
    wake_ = nullptr;
  }

 private:
  std::mutex mutex_;
  std::function<void()> wake_;
  std::vector<GenerationEvent> events_;
};

Generation::Generation(Dispatcher& dispatcher, Reply reply, std::shared_ptr<Mailbox> mailbox)
    : dispatcher_(dispatcher), reply_(std::move(reply)), mailbox_(std::move(mailbox)) {}

Generation::~Generation() {
  mailbox_->close();
  if (ticket_ && !reply_.finished()) dispatcher_.cancel(*ticket_);
}

void Generation::collect() {
  for (GenerationEvent& event : mailbox_->take()) {
    if (!reply_.failure()) reply_.take(std::move(event));
  }
}

HttpAnswer Generation::answer() const {
  MOEBENCH_CHECK(finished());
  if (reply_.failure()) return error_answer(*reply_.failure());
  return {200, "application/json", reply_.body()};
}

Service::Service(Engine& engine, ServiceOptions options)
    : engine_(engine),
      options_(std::move(options)),
      created_unix_seconds_(unix_seconds()),
      dispatcher_(engine, metrics_, options_.max_requests) {}

std::optional<HttpAnswer> Service::refusal(const HttpRequest& request) const {
  const bool open = request.path == "/health";
  if (!options_.api_key.empty() && !open) {
    constexpr std::string_view kScheme = "Bearer ";
    const std::string_view given = request.authorization;
    if (!given.starts_with(kScheme) ||
        !same_secret(given.substr(kScheme.size()), options_.api_key)) {
      return error_answer(
          {401, "authentication_error", "the API key is missing or wrong", "", "invalid_api_key"});
    }
  }
  return std::nullopt;
}

std::string Service::page(const std::string& path) const {
  for (const char* known :
       {"/v1/completions", "/v1/chat/completions", "/v1/models", "/health", "/metrics"}) {
    if (path == known) return known;
  }
  return percent_decoded(path) == "/v1/models/" + options_.model_name ? "/v1/models/{model}"
                                                                      : "other";
}

Service::Outcome Service::handle(const HttpRequest& request, std::function<void()> wake) {
  const bool get = request.method == "GET" || request.method == "HEAD";
  const std::string page = this->page(request.path);
  const bool completion = page == "/v1/completions";
  const bool chat = page == "/v1/chat/completions";
  if (auto refused = refusal(request)) return *std::move(refused);
  if (page == "other") {
    return error_answer({404, "invalid_request_error",
                         "there is no " + request.path.substr(0, 200) +
                             "; served are /v1/models, /v1/completions, /v1/chat/completions, "
                             "/health and /metrics",
                         "", "not_found"});
  }
  if (completion || chat ? request.method != "POST" : !get) {
    return error_answer({405, "invalid_request_error",
                         "the method " + request.method.substr(0, 20) + " is not served here", "",
                         "method_not_allowed"});
  }
  if (completion) return generate(ApiKind::kCompletion, request, std::move(wake));
  if (chat) return generate(ApiKind::kChat, request, std::move(wake));
  if (page == "/health") return health();
  if (page == "/metrics") {
    return HttpAnswer{200, "text/plain; version=0.0.4; charset=utf-8",
                      metrics_.to_text(engine_.info())};
  }
  if (page == "/v1/models") {
    return json_answer({{"object", "list"}, {"data", Json::array({model_json()})}});
  }
  return json_answer(model_json());
}

HttpAnswer Service::health() const {
  const bool well = dispatcher_.healthy() && !draining_;
  HttpAnswer answer = json_answer({{"status", well        ? "ok"
                                              : draining_ ? "shutting down"
                                                          : "failed"}});
  if (!well) answer.status = 503;
  return answer;
}

nlohmann::ordered_json Service::model_json() const {
  const EngineInfo& info = engine_.info();
  return {{"id", options_.model_name},
          {"object", "model"},
          {"created", created_unix_seconds_},
          {"owned_by", "moebench"},
          {"max_model_len", info.max_context_tokens},
          // For this program's own client: what a record tells of a model and an engine.
          {"moebench",
           {{"version", build_info().version},
            {"family", info.family},
            {"format", info.format},
            {"model_sha256", info.model_sha256},
            {"weight_types", info.weight_types},
            {"total_parameters", info.total_parameters},
            {"active_parameters", info.active_parameters},
            {"weight_bytes", info.weight_bytes},
            {"kv_bytes_per_token", info.kv_bytes_per_token},
            {"n_layers", info.n_layers},
            {"n_moe_layers", info.n_moe_layers},
            {"n_experts", info.n_experts},
            {"experts_per_token", info.experts_per_token},
            {"vocab", info.vocab},
            {"kv_cache_tokens", info.kv_cache_tokens},
            {"device", info.device},
            {"isa", info.isa},
            {"kv_cache_type", info.kv_cache_type},
            {"threads", info.threads},
            {"has_chat_template", info.has_chat_template},
            {"load_seconds", info.load_seconds}}}};
}

Service::Outcome Service::generate(ApiKind kind, const HttpRequest& request,
                                   std::function<void()> wake) {
  // A web page can make a browser post anything but this type to a loopback port unasked.
  if (!request.content_type.starts_with("application/json")) {
    return error_answer({415, "invalid_request_error",
                         "the content type has to be application/json", "", "content_type"});
  }
  if (draining_) {
    return error_answer({503, "server_error", "the server is shutting down", "", "shutting_down"});
  }
  if (!dispatcher_.healthy()) {
    return error_answer({503, "server_error", "the engine has failed", "", "engine_failed"});
  }
  ApiLimits limits;
  limits.max_choices = std::min<std::int64_t>(limits.max_choices, options_.max_requests);
  limits.default_max_tokens = engine_.info().max_context_tokens;
  limits.has_chat_template = engine_.info().has_chat_template;
  Expected<ApiRequest, ApiError> parsed = parse_api_request(kind, request.body, limits);
  if (!parsed) return error_answer(parsed.error());

  ReplyContext context;
  context.id = (kind == ApiKind::kChat ? "chatcmpl-" : "cmpl-") +
               std::to_string(created_unix_seconds_) + "-" + std::to_string(next_reply_++);
  context.model = options_.model_name;
  context.created_unix_seconds = unix_seconds();
  context.token_bytes = [this](std::int32_t token) -> std::string {
    try {
      return engine_.token_bytes(token);
    } catch (const Error&) {  // an id that pads the vocabulary has no text
      return {};
    }
  };
  std::vector<GenerationRequest> requests = parsed->requests;
  const auto mailbox = std::make_shared<Generation::Mailbox>(std::move(wake));
  std::unique_ptr<Generation> generation(
      new Generation(dispatcher_, Reply(*std::move(parsed), std::move(context)), mailbox));
  generation->ticket_ = dispatcher_.submit(std::move(requests), mailbox);
  if (!generation->ticket_) {
    return error_answer({429, "rate_limit_error",
                         "the server is at work on as many requests as it takes; try again", "",
                         "queue_full"});
  }
  return generation;
}

}  // namespace moebench
