#include <charconv>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "harness/clients/engine_client.h"
#include "harness/clients/in_process_client.h"
#include "harness/clients/null_client.h"
#include "harness/clients/openai_client.h"
#include "harness/launch/server_process.h"

namespace moebench {

namespace {

constexpr std::string_view kNullPrefix = "null:";
constexpr std::string_view kOpenAiPrefix = "openai:";
// A large model may take long to load.
constexpr std::chrono::seconds kLaunchLimit{1800};

std::chrono::milliseconds parse_answer_time(std::string_view text) {
  long milliseconds = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), milliseconds);
  if (error != std::errc() || end != text.data() + text.size() || milliseconds < 0 ||
      milliseconds > 3'600'000) {
    throw Error(ErrorCode::kUsage,
                "--model null:" + std::string(text) + ": not a number of milliseconds",
                "--model null, or --model null:20");
  }
  return std::chrono::milliseconds(milliseconds);
}

/// A client and the server that was started for it, which ends after it.
class LaunchedClient final : public EngineClient {
 public:
  LaunchedClient(const std::string& name, const EngineOptions& options, RemoteOptions remote) {
    LaunchValues values;
    values.model = name;
    values.port = free_port();
    values.batch = options.max_batch_sequences;
    values.context = options.max_context_tokens;
    const LaunchCommand command = launch_command(remote.launch, values);
    const std::string root = "http://" + values.host + ":" + std::to_string(values.port);
    server_ = std::make_unique<ServerProcess>(command, remote.launch_log);
    server_->wait_until_healthy(root + command.health_path, kLaunchLimit);
    remote.base_urls = {root + "/v1"};
    client_ = std::make_unique<OpenAiClient>(name, values.batch, std::move(remote));
  }

  const ClientInfo& info() const override { return client_->info(); }
  std::int64_t max_in_flight() const override { return client_->max_in_flight(); }
  void submit(GenerationRequest request) override { client_->submit(std::move(request)); }
  void cancel(std::uint64_t request_id) override { client_->cancel(request_id); }
  std::vector<GenerationEvent> next_events(std::chrono::milliseconds timeout) override {
    return client_->next_events(timeout);
  }
  std::vector<RequestRetries> take_retries() override { return client_->take_retries(); }
  std::vector<std::string> take_warnings() override { return client_->take_warnings(); }

 private:
  std::unique_ptr<ServerProcess> server_;  // outlives the client
  std::unique_ptr<OpenAiClient> client_;
};

std::unique_ptr<EngineClient> make_openai_client(const EngineOptions& options,
                                                 const RemoteOptions& remote) {
  const std::string name = options.model.substr(kOpenAiPrefix.size());
  if (!remote.launch.empty()) {
    if (!remote.base_urls.empty()) {
      throw Error(ErrorCode::kUsage, "--launch starts the server itself; --base-url has no place");
    }
    refuse_key_in_command(remote);
    return std::make_unique<LaunchedClient>(name, options, remote);
  }
  return std::make_unique<OpenAiClient>(name, options.max_batch_sequences, remote);
}

}  // namespace

bool is_remote_model(const std::string& model) { return model.starts_with(kOpenAiPrefix); }

std::unique_ptr<EngineClient> make_client(const EngineOptions& options,
                                          const RemoteOptions& remote) {
  if (is_remote_model(options.model)) return make_openai_client(options, remote);
  if (!remote.base_urls.empty() || !remote.launch.empty()) {
    throw Error(ErrorCode::kUsage,
                "--base-url and --launch are for servers, and '" + options.model + "' is none",
                "--model openai:NAME");
  }
  if (options.model == "null") {
    return std::make_unique<NullClient>(options.max_batch_sequences, std::chrono::milliseconds(0));
  }
  if (options.model.starts_with(kNullPrefix)) {
    return std::make_unique<NullClient>(
        options.max_batch_sequences,
        parse_answer_time(std::string_view(options.model).substr(kNullPrefix.size())));
  }
  return std::make_unique<InProcessClient>(options);
}

std::string finish_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEos:
      return "eos";
    case FinishReason::kStopString:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kContext:
      return "context";
    case FinishReason::kCancelled:
      return "cancelled";
    case FinishReason::kFailed:
      return "failed";
    case FinishReason::kNone:
      break;
  }
  MOEBENCH_CHECK(false);
}

}  // namespace moebench
